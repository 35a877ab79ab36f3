"""How a page looks for one request: language, words, what every page shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from firmware.han.casa.texts import words
from firmware.han.desk import HanDesk
from firmware.han.pages import Language, language_of, page, render

COOKIE: Final = "casa_lang"
"""Keeps the language that somebody has chosen."""
PRODUCT: Final = "casa"


@dataclass(frozen=True, slots=True)
class Look:
    """Language and what every page shows.

    Attributes:
        language: of the words.
        words: by name.
        device: number of the gateway.
        name: of the product.
        chosen: whether the language was asked for by ``?lang=``.
        other: link to the same page in the other language.
        idle_s: after how many seconds a session ends.
    """

    language: Language
    words: dict[str, str]
    device: str
    name: str
    chosen: bool
    other: str
    idle_s: int

    @classmethod
    def of(cls, request: web.Request, desk: HanDesk) -> Look:
        """The look of a request: ``?lang=``, the language chosen before, else what the browser asks for."""
        chosen = request.query.get("lang", "") in ("de", "en")
        kept = request.cookies.get(COOKIE, "")
        language: Language = kept if not chosen and kept in ("de", "en") else language_of(request)  # type: ignore[assignment]
        other = "en" if language == "de" else "de"
        place = request.rel_url.update_query(lang=other) if request.method == "GET" else None
        link = f"/?lang={other}" if place is None else place.raw_path_qs
        if not link.startswith("/") or link.startswith("//"):
            link = f"/?lang={other}"
        name = f"{desk.product.data.maker.split(' ')[0]} {desk.product.data.name}"
        return cls(language, words(language), desk.device_id.lower(), name, chosen, link, int(desk.options.han_idle_s))

    def page(self, template: str, *, title: str, here: str, status: int = 200, **more: Any) -> web.Response:
        """A page; `title` names a word, `here` the part of the menu."""
        more.setdefault("visit", None)
        text = render(
            PRODUCT,
            template,
            lang=self.language,
            t=self.words,
            title=self.words[title],
            device=self.device,
            product_name=self.name,
            here=here,
            other=self.other,
            idle_s=self.idle_s,
            **more,
        )
        answer = page(text, status=status)
        if self.chosen:
            answer.set_cookie(COOKIE, self.language, max_age=31_536_000, secure=True, httponly=True, samesite="Strict")
        return answer
