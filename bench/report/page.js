"use strict";
(() => {
  const unfold = () => {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    for (let part = target; part; part = part.parentElement) {
      if (part.tagName === "DETAILS") part.open = true;
    }
    if (target) target.scrollIntoView();
  };
  addEventListener("hashchange", unfold);
  unfold();

  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const part of folded) part.open = true;
  });
  addEventListener("afterprint", () => {
    for (const part of folded) part.open = false;
  });

  const details = document.getElementById("details");
  const cases = details ? [...details.querySelectorAll("details.case")] : [];
  if (cases.length > 1) {
    const bar = document.createElement("p");
    bar.className = "fold";
    for (const [text, open] of [["Unfold all cases", true], ["Fold all cases", false]]) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = text;
      button.addEventListener("click", () => {
        for (const part of cases) part.open = open;
      });
      bar.append(button);
    }
    details.querySelector("h2").after(bar);
  }
})();
