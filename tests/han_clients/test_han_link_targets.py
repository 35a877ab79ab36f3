"""What a digest signs is what is sent (RFC 2617 3.2.2.5)."""

from __future__ import annotations

from pathlib import Path

import pytest
from han_stand_in import Digest, Headers, make_certificate, serving

from devices.clock import Clock
from devices.han.errors import NotUnderstood
from devices.han.link import HanLink
from devices.han.login import TARGET, Login, Settings

SIGNS = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '#",\\')
"""All but those at which the stand-in's reader of digests ends."""


async def test_every_target_that_may_be_asked_for_comes_as_it_is(clock: Clock, tmp_path: Path) -> None:
    digest, seen = Digest("anna", "geheim."), []

    def handler(method: str, target: str, headers: Headers, body: bytes) -> tuple[int, Headers, bytes]:
        seen.append(target)
        return (200, {}, b"") if digest.right(method, target, headers) else (401, digest.challenge(), b"")

    targets = [f"/{SIGNS}", "/a/../b", "//a", "/%23?a=%23", "/a??"]
    async with (
        serving(handler, make_certificate(tmp_path, "gateway")) as port,
        HanLink(clock, Settings("127.0.0.1", port), Login("anna", "geheim.")) as link,
    ):
        for target in targets:
            assert TARGET.fullmatch(target)
            assert (await link.request("GET", target)).status == 200
        for cut in ("/a#b", "/a?b#", "/a?", "/?"):
            with pytest.raises(NotUnderstood, match="cannot be asked for"):
                await link.request("GET", cut)
    assert list(dict.fromkeys(seen)) == targets
    assert digest.uris == targets
