"""PPC's pages with attributes in the other quotes, as programs take them too (han 2.3, 7)."""

from __future__ import annotations

import re

import pytest
from han_ppc_clients import PATH
from han_ppc_rack import ppc
from han_ppc_visits import ACTIONS, alice, every_page
from lxml import html

from devices.errors import UsageError
from firmware.han.ppc.answers import OWN_STYLE
from firmware.han.ppc.quotes import doubled
from firmware.han.server import new_application

SINGLE = re.compile(r"<[a-zA-Z][^<>]*='[^<>]*>")
DOUBLE = re.compile(r'<[a-zA-Z][^<>]*="[^<>]*>')


def same(one: bytes, other: bytes) -> bool:
    """Whether two pages say the same, tag by tag, attribute by attribute."""
    first, second = ([(each.tag, dict(each.attrib), each.text, each.tail) for each in html.fromstring(page).iter()]
                     for page in (one, other))  # fmt: skip
    return first == second


async def test_all_pages_say_the_same_in_double_quotes() -> None:
    async with ppc() as gateway:
        pages = await gateway.outside(lambda host, port: every_page(alice(host, port)))
    assert set(pages) == {"login", *ACTIONS}
    for text in pages.values():
        other = doubled(text.encode())
        assert same(text.encode(), other)
        markup = other.decode().replace(OWN_STYLE, "")
        assert SINGLE.search(text)
        assert not SINGLE.search(markup)
        assert DOUBLE.search(markup)
        assert OWN_STYLE in other.decode(), "its hash is in the policy"


def test_text_and_scripts_stay_as_they_are() -> None:
    kept = (
        b"<script>if (a<b) x ='1'; c>d</script><p>a <b>x</b> ='y' name='z'</p><style>a[b='c']>d{}</style>sessionid='1'&"
    )
    assert doubled(kept) == kept
    assert doubled(b"<a\nclass='x' id='' href='?a=1&amp;b=&#39;'>='n'</a>") == (
        b'<a\nclass="x" id="" href="?a=1&amp;b=&#39;">=\'n\'</a>'
    )
    assert doubled(b"<a title='say \"so\"' id='x'>") == b'<a title=\'say "so"\' id="x">', "it would end too soon"


async def test_the_option_is_for_all_answers_of_a_ppc() -> None:
    async with ppc(han_ppc_quotes="double", han_login_attempts=1) as gateway:

        def visit(host: str, port: int) -> None:
            browser = alice(host, port)
            asked = browser.login(), browser.post("meterform"), browser.post("log"), browser.post("logout")
            stranger = browser.raw("GET", "/elsewhere", None, {})
            for answer in (*asked, stranger):
                assert DOUBLE.search(answer.text)
                assert not SINGLE.search(answer.text.replace(OWN_STYLE, ""))
                assert answer.header("Content-Length") == str(len(answer.body))
            assert html.fromstring(asked[1].text).xpath("//select[@name='mid']/option")
            log_file = alice(host, port)
            log_file.login()
            assert log_file.post("exportLogData").body.startswith(b"0"), "files are left alone"
            wrong = alice(host, port)
            wrong.digest.password = "wrong"
            refused = wrong.request("GET", target=PATH)
            assert "Anmeldung fehlgeschlagen" in refused.text
            assert not SINGLE.search(refused.text.replace(OWN_STYLE, ""))

        await gateway.outside(visit)


def test_other_quotes_are_refused() -> None:
    from firmware.han.ppc.quotes import quoted

    with pytest.raises(UsageError, match="han_ppc_quotes: single, double"):
        quoted(new_application(), "none")
