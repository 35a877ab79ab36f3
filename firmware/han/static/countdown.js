"use strict";
for (const place of document.querySelectorAll("[data-seconds]")) {
  const end = Date.now() + 1000 * Number(place.dataset.seconds);
  const show = () => {
    const left = Math.max(0, Math.round((end - Date.now()) / 1000));
    place.textContent = Math.floor(left / 60) + ":" + String(left % 60).padStart(2, "0");
    if (left > 0) {
      setTimeout(show, 500);
    } else if (place.dataset.then) {
      location.assign(place.dataset.then);
    }
  };
  show();
}
