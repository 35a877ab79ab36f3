"""The sticks' serial protocols, by other people's octets (lmn-wireless 5)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.protocols.mbus.link import FrameFormat, dress
from devices.protocols.wmbus_sticks import amb8465, cul, im871a, iu891a, rc1180, rtl_wmbus
from devices.protocols.wmbus_sticks.amb8465 import AmberScanner, CommandScanner, Frame
from devices.protocols.wmbus_sticks.cul import Answer, CulScanner
from devices.protocols.wmbus_sticks.errors import StickError
from devices.protocols.wmbus_sticks.im871a import DeviceInfo, HciMessage, HciScanner
from devices.protocols.wmbus_sticks.iu891a import Config, SlipMessage, SlipScanner
from devices.protocols.wmbus_sticks.rc1180 import RcScanner, Reply
from devices.protocols.wmbus_sticks.rtl_wmbus import RtlScanner
from devices.protocols.wmbus_sticks.scanner import Heard, Noise, Scanner

GAS = bytes.fromhex("2E4493157856341233037A2A0020255923C95AAA26D1B2E7493B013EC4A6F6D3529B520EDFF0EA6DEFC99D6D69EBF3")
"""The telegram of lmn-wireless 2.1, stripped."""
CAPTURED = bytes.fromhex(
    "A5C2034144C5140124065070068C20E97A260030258AA4FA4EEABB7FF16A3D4D4D195F6905291547F08E0DCAD6D16B6730F3366256ADD4362B"
    "3642294B7F6D2B703EC1291E8CA7F4"
)
"""An indication from a real log."""
INDICATION = bytes.fromhex("A5C2032E") + GAS[1:] + bytes.fromhex("8CFC8D")


def one(scanner: Scanner[Any], octets: bytes) -> Any:
    (event,) = scanner.feed(octets)
    assert scanner.waiting == 0
    return event


class TestIm871a:
    """lmn-wireless 5.1"""

    @pytest.mark.parametrize(
        ("message", "octets"),
        [
            (HciMessage(1, im871a.PING), "A5010100"),
            (HciMessage(1, im871a.PING + 1), "A5010200"),
            (HciMessage(1, im871a.PING + 1, fcs=True), "A58102004CA3"),
            (HciMessage(1, im871a.GET_INFO), "A5010F00"),
            (HciMessage(1, 0x10, bytes.fromhex("3300151778563412")), "A50110083300151778563412"),
            (HciMessage(1, im871a.GET_CONFIG), "A5010500"),
            (HciMessage(1, 4, b"\x01"), "A501040101"),
            (HciMessage(2, 2, b"\x01"), "A502020101"),
            (HciMessage(2, 1, bytes.fromhex("06AE0C785634120107")), "A502010906AE0C785634120107"),
            (HciMessage(2, 3, GAS[1:], rssi=0x8C, fcs=True), INDICATION.hex()),
        ],
    )
    def test_messages_are_read_and_written_as_in_the_fact_sheet(self, message: HciMessage, octets: str) -> None:
        assert message.to_bytes() == bytes.fromhex(octets)
        assert one(HciScanner(), bytes.fromhex(octets)) == message

    def test_the_captured_indication_is_a_telegram_with_its_strength(self) -> None:
        heard = im871a.heard(one(HciScanner(), CAPTURED))
        assert heard.telegram[0] == 0x41 == len(heard.telegram) - 1
        assert heard.telegram[1:10].hex() == "44c514012406507006"
        assert heard.rssi_dbm == -52.0

    def test_the_gas_meter_comes_out_whole(self) -> None:
        assert im871a.heard(one(HciScanner(), INDICATION)) == Heard(GAS, -52.0)

    def test_a_time_stamp_stands_before_the_strength(self) -> None:
        message = HciMessage(2, 3, GAS[1:], stamp=0x01020304, rssi=0x8C, fcs=True)
        octets = message.to_bytes()
        assert octets[1] == 0xE2
        assert octets[-7:-2] == bytes.fromhex("040302018c")
        assert im871a.heard(one(HciScanner(), octets)).stamp == 0x01020304

    def test_device_information_is_type_mode_firmware_version_and_id(self) -> None:
        info = DeviceInfo.from_payload(bytes.fromhex("3300151778563412"))
        assert info == DeviceInfo(0x33, 0, 0x15, 0x17, 0x12345678)
        assert info.to_payload().hex() == "3300151778563412"
        assert info.name == "iM871A, firmware 15, id 12345678"
        with pytest.raises(StickError, match="8 octets"):
            DeviceInfo.from_payload(b"")

    def test_the_configuration_of_the_fact_sheet_has_all_fields(self) -> None:
        octets = bytes.fromhex("FF000A00AE0C7856341201 0001FF070232000100 0001")
        values = im871a.decode_config(octets)
        assert tuple(values) == im871a.CONFIG_FIELDS
        assert values["link_mode"] == im871a.MODE_C_AND_T
        assert (values["manufacturer"], values["id"], values["rx_window"]) == (0x0CAE, 0x12345678, 0x32)
        assert im871a.encode_config(values) == octets
        assert len(octets) == 0x16

    def test_only_flagged_fields_are_set(self) -> None:
        config = im871a.encode_config({"link_mode": 0x0A, "rssi_attach": 1, "timestamp_attach": 0})
        assert HciMessage(1, 3, b"\x00" + config).to_bytes().hex(" ") == "a5 01 03 06 00 02 0a 30 01 00"

    @pytest.mark.parametrize("octets", ["", "FF", "FF000A", "0000AA", "01"])
    def test_a_cut_configuration_says_where(self, octets: str) -> None:
        with pytest.raises(StickError):
            im871a.decode_config(bytes.fromhex(octets))

    @pytest.mark.parametrize(("octet", "dbm"), [(0x8C, -52), (45, -100), (229, -8), (230, 0), (255, 0)])
    def test_strength_is_about_half_a_decibel_per_step(self, octet: int, dbm: int) -> None:
        assert im871a.dbm(octet) == dbm

    def test_strength_written_is_strength_read(self) -> None:
        assert all(im871a.dbm(im871a.rssi_octet(dbm)) == dbm for dbm in range(-120, -8))


class TestIu891a:
    """lmn-wireless 5.2"""

    @pytest.mark.parametrize(
        ("message", "octets"),
        [
            (SlipMessage(1, 1), "C001011607C0"),
            (SlipMessage(1, 2, b"\x00"), "C0010200A0AFC0"),
        ],
    )
    def test_a_ping_and_its_answer(self, message: SlipMessage, octets: str) -> None:
        assert message.to_bytes() == bytes.fromhex(octets)
        assert one(SlipScanner(), bytes.fromhex(octets)) == message

    def test_a_wake_up_is_no_noise(self) -> None:
        assert one(SlipScanner(), iu891a.WAKE_UP + SlipMessage(1, 1).to_bytes()) == SlipMessage(1, 1)

    @given(st.binary(max_size=300))
    def test_any_body_comes_through_its_escapes(self, body: bytes) -> None:
        octets = SlipMessage(9, 32, body).to_bytes()
        assert octets.count(iu891a.END) == 2
        assert one(SlipScanner(), octets) == SlipMessage(9, 32, body)

    def test_an_indication_has_stamp_three_octets_strength_and_telegram(self) -> None:
        message = iu891a.indication(GAS, -71.4, 123_456)
        assert message.body[:8].hex() == "40e20100000000b9"
        assert iu891a.heard(message) == Heard(GAS, -71.0, 123_456)
        with pytest.raises(StickError, match="L does not fit"):
            iu891a.heard(SlipMessage(9, 32, message.body[:-1]))

    def test_the_configuration_has_eleven_octets(self) -> None:
        config = Config(3, 2, 1, 500, 60_000)
        assert len(config.to_octets()) == 11
        assert Config.from_octets(config.to_octets()) == config
        with pytest.raises(StickError, match="11 octets"):
            Config.from_octets(b"")


class TestAmb8465:
    """lmn-wireless 5.3"""

    @pytest.mark.parametrize(
        ("frame", "octets"),
        [
            (Frame(amb8465.SET_MODE, b"\x09"), "FF040109F3"),
            (Frame(0x80 | amb8465.SET_MODE, b"\x00"), "FF8401007A"),
            (Frame(amb8465.RESET), "FF0500FA"),
            (Frame(0x80 | amb8465.RESET, b"\x00"), "FF8501007B"),
            (Frame(amb8465.SET_CHANNEL, b"\x0b"), "FF06010BF3"),
            (Frame(0x80 | amb8465.SET_CHANNEL, b"\x0b"), "FF86010B73"),
            (Frame(amb8465.SET, b"\x05\x01\x01"), "FF0903050101F0"),
            (Frame(0x80 | amb8465.SET, b"\x00"), "FF89010077"),
            (Frame(amb8465.GET, b"\x00\x80"), "FF0A02008077"),
            (Frame(amb8465.SERIAL), "FF0B00F4"),
            (Frame(amb8465.FIRMWARE), "FF0C00F3"),
            (Frame(0x80 | amb8465.FIRMWARE, b"\x02\x00\x06"), "FF8C0302000674"),
            (Frame(amb8465.RSSI), "FF0D00F2"),
            (Frame(amb8465.FACTORY_RESET), "FF1100EE"),
            (Frame(amb8465.FACTORY_ANSWER, b"\x00"), "FF9001006E"),
        ],
    )
    def test_commands_and_answers_as_in_the_fact_sheet(self, frame: Frame, octets: str) -> None:
        assert frame.to_bytes() == bytes.fromhex(octets)
        scanner: Scanner[Any] = AmberScanner() if frame.command & 0x80 else CommandScanner()
        assert one(scanner, bytes.fromhex(octets)) == frame

    @pytest.mark.parametrize("size", [amb8465.PARAMETERS, amb8465.PARAMETERS_AMB3665])
    def test_a_dump_of_parameters_has_their_number(self, size: int) -> None:
        """120 of the AMB8465: FF 8A 7A 00 78; 128 of the AMB3665: FF 8A 82 00 80."""
        dump = bytes(range(size))
        octets = Frame(0x8A, bytes((0, size)) + dump).to_bytes()
        assert octets[:5].hex() == {120: "ff8a7a0078", 128: "ff8a820080"}[size]
        assert amb8465.parameters(one(AmberScanner(), octets)) == dump

    @pytest.mark.parametrize("payload", [b"", b"\x00", bytes((0, 120)), bytes((1, 120)) + bytes(120), bytes(12)])
    def test_what_is_no_dump_is_refused(self, payload: bytes) -> None:
        with pytest.raises(StickError):
            amb8465.parameters(Frame(0x8A, payload))

    def test_an_indication_counts_the_strength_in_its_length(self) -> None:
        octets = bytes.fromhex("FF032F") + GAS[1:] + bytes.fromhex("1419")
        assert one(AmberScanner(rssi=True), octets) == Heard(GAS, -64.0)

    def test_a_transparent_telegram_counts_it_in_l(self) -> None:
        octets = b"\x2f" + GAS[1:] + b"\x14"
        assert one(AmberScanner(transparent=True, rssi=True), octets) == Heard(GAS, -64.0)
        assert one(AmberScanner(transparent=True), GAS) == Heard(GAS)

    def test_answers_are_found_between_transparent_telegrams(self) -> None:
        scanner = AmberScanner(transparent=True)
        assert scanner.feed(GAS + bytes.fromhex("FF8401007A") + GAS) == [Heard(GAS), Frame(0x84, b"\0"), Heard(GAS)]

    def test_in_command_mode_a_bare_telegram_is_noise(self) -> None:
        """Else the inside of a damaged frame would be taken for one."""
        damaged = bytes.fromhex("FF032F") + GAS[1:] + bytes.fromhex("1418")
        scanner = AmberScanner(rssi=True)
        (noise,) = scanner.feed(damaged)
        assert isinstance(noise, Noise)
        assert noise.reason == "wrong check octet"
        assert noise.count == len(damaged)

    @pytest.mark.parametrize(("octet", "dbm"), [(0x14, -64.0), (127, -10.5), (128, -138.0), (255, -74.5)])
    def test_strength_is_signed(self, octet: int, dbm: float) -> None:
        assert amb8465.dbm(octet) == dbm
        assert amb8465.rssi_octet(dbm) == octet


class TestRc1180:
    """lmn-wireless 5.4"""

    def test_a_telegram_with_strength(self) -> None:
        assert one(RcScanner(rssi=True), b"\x2f" + GAS[1:] + b"\x80") == Heard(GAS, -64.0)
        assert one(RcScanner(), GAS) == Heard(GAS)

    def test_a_dump_is_256_registers_and_the_prompt(self) -> None:
        registers = bytearray(range(256))
        registers[0x19:0x21] = bytes.fromhex("0CAE123456780107")
        scanner = RcScanner()
        scanner.configuring = True
        assert scanner.feed(bytes(registers) + b">") == []
        (reply,) = scanner.silence()
        assert isinstance(reply, Reply)
        assert len(reply.octets) == 257 == rc1180.DUMP_SIZE
        assert rc1180.dump(reply) == registers

    def test_a_telegram_on_its_way_does_not_shift_the_dump(self) -> None:
        registers = bytes(reversed(range(256)))
        assert rc1180.dump(Reply(GAS[10:] + registers + b">")) == registers
        with pytest.raises(StickError, match="257"):
            rc1180.dump(Reply(registers))

    def test_the_address_has_its_high_octets_first_in_the_registers(self) -> None:
        """19-1A M: 0C AE = CEN"""
        registers = bytes(0x19) + bytes.fromhex("0CAE123456780107") + bytes(256 - 0x21)
        assert rc1180.link_address(registers).hex() == "ae0c785634120107"
        written = rc1180.address_registers(bytes.fromhex("ae0c785634120107"))
        assert bytes(written.values()) == registers[0x19:0x21]
        assert next(iter(written)) == 0x19

    def test_memory_is_written_in_pairs_up_to_ff(self) -> None:
        assert rc1180.memory_write({0x03: 0x0A, 0x05: 1}).hex() == "030a0501ff"
        with pytest.raises(StickError):
            rc1180.memory_write({0xFF: 0})


class TestCul:
    """lmn-wireless 5.5"""

    LINE_A = (
        "b2E4493157856341233033363"
        "7A2A0020255923C95AAA26D1B2E7493BC2AD"
        "013EC4A6F6D3529B520EDFF0EA6DEFC955B2"
        "9D6D69EBF3EC8A8B14"
    )
    LINE_B = "bY30" + GAS[1:].hex().upper() + "B8538B14"

    def test_the_lines_of_the_fact_sheet(self) -> None:
        assert one(CulScanner("T1"), f"{self.LINE_A}\r\n".encode()) == Heard(GAS, -64.0, None, "T1")
        assert one(CulScanner("T1"), f"{self.LINE_B}\r\n".encode()) == Heard(GAS, -64.0, None, "C1B")

    def test_the_same_lines_are_written(self) -> None:
        assert cul.telegram_line(GAS, "T1", -64.0) == self.LINE_A
        assert cul.telegram_line(GAS, "C1B", -64.0) == self.LINE_B

    def test_without_strength_nothing_stands_behind_the_crc(self) -> None:
        line = cul.telegram_line(GAS, "S1", None)
        assert one(CulScanner("S1"), f"{line}\r\n".encode()) == Heard(GAS, None, None, "S1")

    @pytest.mark.parametrize("text", ["V 1.67 nanoCUL868", "TMODE", "CMODE", "? (x is unknown) Use one of"])
    def test_other_lines_are_answers(self, text: str) -> None:
        assert one(CulScanner(), f"{text}\r\n".encode()) == Answer(text)

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            (LINE_A[:-5], "odd number"),
            (LINE_A[:-8], "a telegram of 55 octets of which 53 came"),
            (LINE_A[:-5] + "08B14", "damaged telegram: link CRC of block 4"),
            ("b", "without octets"),
            ("b05", "too short"),
            ("bxyz!", "hexadecimal"),
        ],
    )
    def test_what_is_cut_or_damaged_is_noise(self, line: str, reason: str) -> None:
        noise = one(CulScanner(), f"{line}\r\n".encode())
        assert isinstance(noise, Noise)
        assert reason in noise.reason


class TestRtlWmbus:
    """lmn-wireless 5.5"""

    HEAD = "T1;1;1;2019-04-03 19:00:42.000;97;148;88888888;"

    def test_a_line_has_mode_time_level_and_telegram(self) -> None:
        line = one(RtlScanner(), f"{self.HEAD}0x{GAS.hex()}\n".encode())
        assert (line.mode, line.time, line.level) == ("T1", "2019-04-03 19:00:42.000", 97)
        assert line.telegrams == (GAS,)

    def test_a_second_telegram_may_follow(self) -> None:
        line = one(RtlScanner(), f"{self.HEAD}0x{GAS.hex()};0x{GAS.hex()}\n".encode())
        assert line.telegrams == (GAS, GAS)

    @pytest.mark.parametrize(
        "text",
        [
            f"T1;0;1;2019-04-03 19:00:42.000;97;148;88888888;0x{GAS.hex()}",
            f"T1;1;0;2019-04-03 19:00:42.000;97;148;88888888;0x{GAS.hex()}",
            f"{HEAD}0x{GAS.hex()[:-2]}",
            f"{HEAD}0xzz",
            HEAD,
            "Found 1 device(s):",
        ],
    )
    def test_bad_telegrams_and_words_are_noise(self, text: str) -> None:
        assert isinstance(one(RtlScanner(), f"{text}\n".encode()), Noise)

    def test_comments_and_empty_lines_are_nothing(self) -> None:
        assert RtlScanner().feed(b"# tuned\n\n\r\n") == []

    def test_a_line_written_is_a_line_read(self) -> None:
        text = rtl_wmbus.line(GAS, "C1", datetime(2026, 1, 5, 12, 0, 0, 250_000), 90)  # noqa: DTZ001 - has no zone
        assert text.startswith("C1;1;1;2026-01-05 12:00:00.250;90;90;12345678;0x2e4493")
        assert one(RtlScanner(), f"{text}\n".encode()).telegrams == (GAS,)


FRAMINGS: dict[str, tuple[Any, bytes]] = {
    "im871a": (HciScanner, INDICATION),
    "iu891a": (SlipScanner, iu891a.indication(GAS, -70, 7).to_bytes()),
    "amb8465 in frames": (
        lambda: AmberScanner(rssi=True),
        bytes.fromhex("FF032F") + GAS[1:] + bytes.fromhex("1419"),
    ),
    "amb8465 transparent": (lambda: AmberScanner(transparent=True, rssi=True), b"\x2f" + GAS[1:] + b"\x14"),
    "rc1180": (lambda: RcScanner(rssi=True), b"\x2f" + GAS[1:] + b"\x14"),
    "cul": (CulScanner, f"{TestCul.LINE_A}\r\n".encode()),
    "rtl_wmbus": (RtlScanner, f"{TestRtlWmbus.HEAD}0x{GAS.hex()}\n".encode()),
}


@pytest.mark.parametrize("name", FRAMINGS)
class TestEveryFraming:
    def messages(self, name: str, events: list[Any]) -> list[Any]:
        return [event for event in events if not isinstance(event, Noise)]

    def test_octets_may_come_one_at_a_time(self, name: str) -> None:
        make, octets = FRAMINGS[name]
        scanner = make()
        found = [event for octet in octets * 3 for event in scanner.feed(bytes((octet,)))]
        assert len(self.messages(name, found)) == 3 == len(found)

    def test_listening_may_begin_in_the_middle_of_a_message(self, name: str) -> None:
        make, octets = FRAMINGS[name]
        for start in range(1, len(octets)):
            scanner = make()
            events = scanner.feed(octets[start:]) + scanner.silence() + scanner.feed(octets) + scanner.silence()
            (last,) = self.messages(name, events)[-1:]
            assert last == one(make(), octets), start

    def test_a_message_cut_short_costs_no_later_one(self, name: str) -> None:
        make, octets = FRAMINGS[name]
        for end in range(1, len(octets) - 1):
            scanner = make()
            events = scanner.feed(octets[:end]) + scanner.silence() + scanner.feed(octets)
            assert self.messages(name, events)[-1:] == [one(make(), octets)], end

    @given(st.binary(max_size=80))
    def test_garbage_before_a_pause_costs_nothing(self, name: str, garbage: bytes) -> None:
        make, octets = FRAMINGS[name]
        scanner = make()
        scanner.feed(garbage)
        scanner.silence()
        assert self.messages(name, scanner.feed(octets))[-1:] == [one(make(), octets)]

    def test_what_waits_is_bounded(self, name: str) -> None:
        make, octets = FRAMINGS[name]
        scanner = make()
        for octet in (octets[0], 0xFF, 0x41, 0x00):
            for _ in range(50):
                scanner.feed(bytes((octet,)) * 997)
                assert scanner.waiting < 4096

    def test_noise_is_counted_octet_by_octet(self, name: str) -> None:
        make, octets = FRAMINGS[name]
        scanner = make()
        garbage = b"\x03\x04\x05\n" if name in ("cul", "rtl_wmbus") else b"\x03\x04\x05"
        events = scanner.feed(garbage)
        events += scanner.silence() + scanner.feed(octets)
        noise = [event for event in events if isinstance(event, Noise)]
        if name == "cul":  # any line that is no telegram may be an answer
            assert noise == []
        else:
            assert sum(event.count for event in noise) == len(garbage)


def test_a_telegram_of_full_length_fits_each_framing() -> None:
    longest = bytes((254, 0x44)) + GAS[2:10] + bytes(245)
    assert (
        im871a.heard(one(HciScanner(), HciMessage(2, 3, longest[1:], rssi=1, fcs=True).to_bytes())).telegram == longest
    )
    assert iu891a.heard(one(SlipScanner(), iu891a.indication(longest, -70, 0).to_bytes())).telegram == longest
    bare = bytes((255,)) + longest[1:] + b"\x14"
    assert one(AmberScanner(transparent=True, rssi=True), bare).telegram == longest
    assert one(AmberScanner(rssi=True), Frame(3, bare[1:]).to_bytes()).telegram == longest
    assert one(RcScanner(rssi=True), bare).telegram == longest
    assert len(dress(longest, FrameFormat.A)) > 148
    assert one(CulScanner(), f"{cul.telegram_line(longest, 'T1', -70)}\r\n".encode()).telegram == longest
