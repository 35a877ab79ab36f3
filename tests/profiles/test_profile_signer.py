"""The administrator of a whole gateway: roots, certificates, who may order (V12, V14)."""

from __future__ import annotations

from typing import Any

from gateway_rack import Rack
from openssl_pki import Pki
from profile_parts import meter, peer

from devices import gateway_types
from devices.clock import Clock
from firmware.config import GatewayConfig


async def ids(rack: Rack, event: str) -> list[Any]:
    """Ids of the entries of an event in the system log."""
    entries = (await rack.console.ask(read="log", book="system"))["entries"]
    return [one["id"] for one in entries if one["event"] == event]


async def test_the_administrator_installs_a_root_and_is_known_by_the_signature(clock: Clock, pki: Pki) -> None:
    data = gateway_types.load("ppc")
    rack = Rack(clock, data, GatewayConfig(device_id=data.device_id))
    rack.gateway.power_on()
    await rack.ready()
    answer = await rack.console.ask(do="install_profile", profile=peer(pki, "GWA"))
    assert (answer["status"], {one["rule"] for one in answer["findings"]}) == (400, {"V12"})
    assert "leads to no installed root" in answer["error"]
    assert await ids(rack, "communication_profile_rejected") == [10217] * 3
    assert not (await rack.console.ask(do="install_root", certificate=pki.hex("sub")))["ok"]
    shown = await rack.console.do("install_root", certificate=pki.hex("root"))
    assert shown["fingerprint"] == pki.fingerprint("root")
    rack.gateway.power_off()
    rack.gateway.power_on()
    await rack.ready()
    await rack.console.do("install_profile", profile=peer(pki, "GWA"))
    foreign = await rack.console.ask(do="install_profile", profile=meter(), signer=pki.fingerprint("emt-signature"))
    assert (foreign["status"], foreign["findings"][0]["rule"]) == (422, "V14")
    assert await ids(rack, "signature_invalid") == [10092]
    signer = pki.fingerprint("gwa-signature")
    assert (await rack.console.do("install_profile", profile=meter(), signer=signer))["status"] == 201
    await rack.close()


async def test_the_sub_ca_of_the_gateway_itself_is_not_in_the_way(clock: Clock, pki: Pki) -> None:
    """The factory's own test root signs nothing of the administrator's, whatever it is called."""
    data = gateway_types.load("casa")
    rack = Rack(clock, data, GatewayConfig(device_id=data.device_id))
    rack.gateway.power_on()
    await rack.ready()
    answer = await rack.console.ask(do="install_profile", profile=peer(pki, "EMT"))
    assert [one["code"] for one in answer["findings"]] == [2_300_306] * 3
    await rack.close()
