"""What an emulated gateway is told when it is made: its cables, its configuration, the defaults that are assumed."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from typing import Any, Literal

from devices.errors import UsageError
from devices.ports.base import BytePort
from devices.ports.radio import Antenna
from devices.protocols.lmn_certificate import LIFE_DAYS
from devices.protocols.sml.messages import ListEntry

Lifecycle = Literal["delivered", "operational"]
Security = Literal["tls", "clear"]
DirectMeter = Callable[[], Sequence[ListEntry]]
"""A meter without a bus: gives its list as of now."""


@dataclass(frozen=True)
class MeterProfile:
    """A meter that the gateway shall read.

    Attributes:
        device_number: number on the meter, ``1SAG0021061001``; or its server id as hex when it has no such number.
        obis: registers to keep, ``1-0:1.8.0*255``; empty: all that the meter sends.
        consumer: whose log gets what happens to this meter.
        name: logical name of the profile; made from the number when empty.
        key: initial key of the meter, 16 octets, with which it is paired; None: it is not known.
        security: ``tls``: paired and read through TLS; ``clear``: read in the clear; None: ``tls`` when there is a key.
        radio: it is a radio meter; `key` is then the key of its telegrams.
        period_s: distance of its values, seconds; None: the default of its kind. Radio meters only, so far.
        transformer_factor: by which its energy and power are multiplied where something is derived from them.
    """

    device_number: str
    obis: tuple[str, ...] = ()
    consumer: str = "consumer-1"
    name: str = ""
    key: bytes | None = field(default=None, repr=False)
    security: Security | None = None
    radio: bool = False
    period_s: int | None = None
    transformer_factor: Decimal = Decimal(1)

    @property
    def secured(self) -> bool:
        """Whether the meter is paired and read through TLS."""
        return not self.radio and (self.security == "tls" or (self.security is None and self.key is not None))


@dataclass(frozen=True)
class GatewayCables:
    """The gateway's ends of its cables, apart from mains (calls) and LEDs (``gateway.leds``).

    Attributes:
        lmn: RS-485, 921 600 Bd 8N1.
        wan_phy: WAN socket, layer 2: one write is one Ethernet frame.
        han_phy: HAN socket, the same.
        maintenance: JSON lines; exists on emulated gateways only.
        antenna: LMN-A, the radio of the metrological network; None: nothing is plugged in.
        direct: number -> meter that is asked at once, in place of all meters on `lmn`, for spans of virtual time.
    """

    lmn: BytePort
    wan_phy: BytePort
    han_phy: BytePort
    maintenance: BytePort
    antenna: Antenna | None = None
    direct: Mapping[str, DirectMeter] | None = None


@dataclass(frozen=True)
class Options:
    """Defaults that are assumed, with their names; a gateway type's data may fix some, `GatewayConfig.options` any.

    Times in seconds, capacities in entries or octets. None of these is printed in a manual.
    """

    registration_period_s: int = 900
    """Grid of the original readings (typical value, wan-core 7.4)."""
    receive_window_share: float = 0.01
    """How long after a grid instant a reading still counts for it, as a share of the registration period: 1 %, so that
    two in succession are never further off (wan-core 7.4)."""
    gap_fill_limit: int = 2976
    """Most gap entries made at once after the gateway was away: 31 days at 15 minutes."""
    storage_write_time_s: float = 0.01
    """Duration of one commit in flash."""
    clock_drift_ppm: float = 0.0
    """How much too fast the gateway's oscillator runs."""
    rtc_reserve_s: float = 0.0
    """How long the real time clock runs without mains; 0: as the type says."""
    rtc_recharge_s: float = 0.0
    """How long the empty buffer of the real time clock takes to be full again with mains; 0: full at once."""
    rtc_drift_ppm: float = 0.0
    """How much faster than the gateway's oscillator the real time clock runs; 0: they share one."""
    ntp_poll_interval_s: float = 3600.0
    """Time between two good synchronisations."""
    ntp_retry_interval_s: float = 60.0
    """Time to the next attempt after a bad one; the protocol allows one per minute (wan-core 7.5)."""
    ntp_answer_wait_s: float = 10.0
    """How long an answer is waited for; later than 9 s it is ignored (wan-core 7.5)."""
    sync_warn_after_s: float = 0.0
    """Age of the last synchronisation from which the gateway warns (holdover); 0: as the type says."""
    sync_max_interval_s: float = 0.0
    """Longest time without synchronisation; 0: as the type says."""
    time_invalid_policy: str = "type"
    """What happens to values while the time is invalid: ``mark``, ``stop`` or ``type`` (as the gateway type says)."""
    ntp_earliest: str = "2020-01-01T00:00:00+00:00"
    """Time stamps before this are not believed."""
    ntp_latest: str = "2099-12-31T23:59:59+00:00"
    """Time stamps after this are not believed."""
    invite_interval_s: float = 30.0
    """Time between two invitations on the bus (lmn-wired 1.5)."""
    presence_offset_s: float = 15.0
    """How long after an invitation the presence check goes out (lmn-wired 1.5)."""
    presence_misses: int = 1
    """Silent presence checks after which a meter loses its address (lmn-wired 1.5: the first)."""
    slot_count: int = 32
    """Time slots after an invitation (lmn-wired 1.5)."""
    slot_pitch_s: float = 0.01
    """Distance of two slots (lmn-wired 1.5)."""
    link_response_timeout_s: float = 0.2
    """How long the bus master waits for an answer on a link (lmn-wired 1.7)."""
    link_retries: int = 3
    """How often it repeats a frame (lmn-wired 1.7)."""
    link_max_information: int = 1024
    """Octets in one I frame of the bus master (lmn-wired 1.2)."""
    link_window: int = 1
    """I frames that it sends before the meter answers, 1 to 7 (lmn-wired 1.7 shows 1)."""
    link_negotiate: bool = False
    """Whether it proposes both in SNRM (lmn-wired 2 shows SNRM without)."""
    read_patience_s: float = 3.0
    """Longest time for one meter's answer while it keeps saying that it is not ready."""
    poll_pause_s: float = 0.05
    """Pause before a meter that had nothing to say yet is polled again."""
    slot_tolerance_s: float = 0.004
    """How far beside its slot the end of an answer to a presence check may lie; further off it does not count. About
    the guard half of a slot (lmn-wired 1.5); a bench in real time, whose computer is no bus controller, needs more."""
    han_certificate_curve: str = "type"
    """Curve of the home interface's certificate; ``type``: secp256r1, for CONEXA secp384r1. Clients offer no brainpool
    curve (han 1)."""
    han_only_own_curve: bool = False
    """Whether the home interface takes only the curve of its certificate for the key exchange; CONEXA always does
    (han 3.1)."""
    han_certificate_days: float = 2555.0
    """Life of the home interface's certificate."""
    han_login_attempts: int = 5
    """Failed logins that lock consumers out; 0: never. A login takes back only the failures with its own name, and a
    restart forgets all of them, and the lock (assumed)."""
    han_lock_s: float = 0.0
    """For how long; 0: as the type says (five minutes, han 2.1 and 4.1)."""
    han_failures_forgotten_s: float = 300.0
    """Time without a failed login after which those before no longer count."""
    han_nonce_s: float = 600.0
    """How long a client may use the nonce of a challenge."""
    han_idle_s: float = 600.0
    """Time without a request after which a consumer's session ends (han 3.1, 4.1)."""
    han_session_s: float = 172_800.0
    """Longest session (han 3.1)."""
    han_least_interval_s: float = 0.0
    """Least time from one login of a consumer to his next one; a sooner one is answered with status 500, begins no
    session and does not count as one. A login is what the log tells as one. Real gateways hang or lock when they are
    polled every few minutes, 15 minutes are safe (han 2.1, 7; the status and that it counts by login are assumed).
    0: logins are never too soon."""
    han_keep_alive_s: float = 60.0
    """How long a connection without requests is kept."""
    han_handshake_s: float = 10.0
    """Longest TLS handshake at the home interface."""
    han_head_s: float = 10.0
    """Longest time for the head of a request."""
    han_body_s: float = 10.0
    """Longest time for its body; it is taken before the login."""
    han_request_s: float = 120.0
    """Longest time for a request, body and answer (han 2.1: up to 60 s)."""
    han_half_open: int = 64
    """Connections that may be in their handshake at a time; the oldest goes."""
    han_connections: int = 128
    """Connections at a time."""
    han_conexa_challenge: str = "MD5"
    """What CONEXA asks programs and browsers for: ``MD5``, ``SHA-256``, or ``announced``: newer firmware announces
    SHA-256 and takes MD5 only (han 3.1)."""
    han_conexa_unmeant_status: int = 401
    """HTTP status for an answer by SHA-256 that is announced but not taken; its body is empty (han 3.1, which tells no
    status: a program that is told 401 says "wrong password", one that looks at the body alone that it is empty)."""
    han_conexa_user_suffix: str = ".sm"
    """What follows the user's id in the path that the redirect names; without it is taken as well (han 3.1)."""
    han_conexa_version: str = "1.3.0"
    """``version`` of all answers, 1.2.0 or 1.3.0 (han 3.2)."""
    han_conexa_long_obis: bool = False
    """Whether ``obis`` is followed by ``.<meter>.sm`` (han 3.2 knows both)."""
    han_conexa_energy_scaler: int = -1
    """Scaler of energies in answers: tenths of a watt-hour, on which programs rely without asking for the scaler (han
    3.2). Assumed for meters that count otherwise, of which no source tells: the lists hold what the meter said, signed
    as such (wan-core 7.1); what is handed out is cut to this scaler and carries a signature of its own over the value
    and the scaler handed out, made at that moment. 1: as stored, with the stored signature."""
    han_conexa_point_codes: str = "1:21 2:22 6:26 7:27 9:29 10:3f 14:2e"
    """Use case and last octet of the names of usage points, 01005e318021.taf1-1.sm (han 3.2 shows that of TAF-1; those
    of TAF-7 and 10 are of wan-core 6.1, the others inferred)."""
    han_conexa_profile_ready_s: float = 600.0
    """How long after the begin of a contract its signed profile is there; ``taf-profile`` is empty before."""
    han_conexa_log_language: str = "de"
    """Language of the messages of log entries in answers, ``de`` or ``en``: no source tells it; the maker's list of
    messages and his handbook are German ([CONEXA] E-5.6)."""
    han_conexa_log_numbers: bool = False
    """Whether ``level`` and ``outcome`` of log entries are numbers (1 to 4, 0 and 1) instead of words (han 3.2 does not
    say)."""
    han_conexa_plain_content_type: bool = False
    """Whether a Content-Type with a parameter, ``application/json; charset=utf-8``, is refused (han 3.1 demands
    application/json without saying so)."""
    han_conexa_chunked: bool = False
    """Whether bodies in pieces, without Content-Length, are taken; on the real device they fail (han 3.1)."""
    han_ppc_bootstream: str = "25456"
    """Number of smgw-bootstream as delivered; [PPC] 3.2.2 shows the form, fig. 13 these digits. Clients want 24052 or
    more (han 2.1)."""
    han_ppc_services: str = "25471"
    """Number of smgw-services as delivered; clients want 25334 or more (han 2.1)."""
    han_ppc_session: str = "cookie"
    """How a consumer gets his session: ``cookie``, or ``body``: old firmware puts it before the page (han 2.1)."""
    han_ppc_old_columns: bool = False
    """Whether the column of OBIS codes has the misspelt id of old firmware (han 2.3)."""
    han_ppc_table_id: str = "metervalue"
    """``id`` of PPC's table of values, which programs look for; another one as after a change of the firmware, when
    users found the table missing (han 2.3, 7)."""
    han_ppc_quotes: str = "single"
    """Quotes of attributes in PPC's pages, ``single`` as in real ones, or ``double`` (han 2.3, 7)."""
    han_ppc_validity: str = "numbers"
    """Whether the column "istvalide" holds ``numbers`` or ``words``; both occur (han 2.3, 9)."""
    han_ppc_values_page: int = 200
    """Instants on one page of values; one page has to hold a day of quarter hours, also that of 25 hours, because
    clients read the first only (han 2.4)."""
    han_ppc_register_page: int = 200
    """Values on one page of derived registers, and billing periods on one of those."""
    han_ppc_export_limit: int = 0
    """Instants that one export of meter values may hold, 0: any number; logs have a limit of 1000 (han 2.2)."""
    retention_original_days: float = 731.0
    """How long original values are kept: 24 months, what load profiles owe consumers (wan-core 7.7); 0: for ever."""
    retention_derived_days: float = 1096.0
    """How long derived values are kept: three years, what bills owe consumers (wan-core 7.7); 0: for ever."""
    han_casa_host_check: bool = True
    """CASA: whether it answers only when the Host header is its address, smgw.local or <huid>.local (han 4.1, reported
    by users)."""
    han_casa_locked_status: int = 403
    """CASA: HTTP status of the JSON paths while consumers are locked out (han 4.1 knows the lock, not its status)."""
    han_casa_profile_ready_s: float = 600.0
    """CASA: how long after the begin of a contract its signed profile is there; 204 before that (han 4.2)."""
    han_casa_mdns: bool = False
    """CASA: whether smgw.local and <huid>.local are announced by mDNS, where the package zeroconf is installed
    (han 4.1)."""
    measured_values_at_cut: str = "type"
    """What a power cut does to values of TAF-9, 10 and 14 that wait to be sent: ``keep``, ``lose`` or ``type`` (as the
    gateway type says, wan-core 7.6). Readings on demand, TAF-6, are kept always."""
    profile_meter_limit: int = 32
    """Most meter profiles, as many as a bus has slots for (lmn-wired 1.5); no manual says how many there may be
    (wan-core 6.2, V11)."""
    profile_foreign_signer_answer: int = 422
    """HTTP status for an order that somebody else than the administrator has signed: its body cannot be opened
    (wan-core 3.4, 6.2, V14)."""
    profile_certificate_curves: str = "brainpoolP256r1 brainpoolP384r1 brainpoolP512r1 secp256r1 secp384r1"
    """Curves that certificates in profiles may have (wan-core 4.2)."""
    profile_time_server_name: str = "GWA"
    """How the name in the certificate of a time server ends; the administrator runs it (wan-core 5.1, 5.13)."""
    profile_calibrated_meter_fields: str = "registers period_s transformer_factor"
    """Fields of a meter profile whose change goes to the calibration log (wan-core 6.2, V13)."""
    profile_calibrated_time_server_fields: str = "endpoints tls"
    """Fields of a time server's communication profile whose change goes there too (wan-core 6.2, V13)."""
    signature_curve: str = "brainpoolP256r1"
    """Curve of the key that values and log entries are signed with (wan-core 5.2, han 6)."""
    certificate_days: float = 730.0
    """Life of the gateway's certificates of the SM-PKI: two years (wan-core 5.2)."""
    certificate_sub_ca_days: float = 1825.0
    """Life of the Sub-CA above them, longer than that of end entities (wan-core 13, Q12)."""
    certificate_root_days: float = 2920.0
    """Life of the root above that (wan-core 13, Q12)."""
    certificate_backdate_s: float = 86_400.0
    """How long before the unit is made the validity of its certificates begins."""
    certificate_administrator: str = "Bench-Test-GWA"
    """Administrator whom the gateway's certificates name in OU, followed by .PKI (wan-core 5.1)."""
    lmn_certificate_curve: str = "brainpoolP256r1"
    """Curve of the certificates that the gateway makes for itself and its meters (wan-core 5.3)."""
    lmn_certificate_days: float = float(LIFE_DAYS)
    """Life of these certificates (wan-core 5.3, that of a sample)."""
    lmn_certificate_backdate_s: float = 86_400.0
    """How long before it is made the validity of a certificate begins, so that no clock thinks it is from tomorrow."""
    lmn_renewal_days: float = 30.0
    """How long before their end certificates are replaced by pairing anew, at most a quarter of their life; 0: never
    by the gateway itself."""
    lmn_certificate_check_interval_s: float = 3600.0
    """Time between two looks at the ends of the certificates."""
    lmn_suites: str = "C023 C024 C02B C02C"
    """Cipher suites that are offered to meters, in this order (lmn-wired 3.1)."""
    lmn_session_days: float = 31.0
    """Longest life of a TLS session with a meter (lmn-wired 3.1)."""
    lmn_session_octets: int = 5_000_000
    """Most octets of a TLS session with a meter, both ways (lmn-wired 3.1)."""
    lmn_keepalive_s: float = 60.0
    """Time after which an unused link with a TLS session is polled, as meters forget links after 120 s (lmn-wired
    1.7); 0: never, then there is a handshake for each reading."""
    lmn_pairing_patience_s: float = 3.0
    """Longest time for one answer of a meter while it is paired or shakes hands."""
    lmn_pairing_retry_s: float = 60.0
    """Time to the next attempt after a failed one, doubled each time."""
    lmn_pairing_retry_max_s: float = 3600.0
    """Longest time to the next attempt."""
    lmn_operational_key: bool = True
    """Whether a meter gets an operational key after its first pairing (lmn-wired 3.2)."""
    clear_values_not_for_billing: bool = False
    """Whether values read in the clear carry bit 1, not for billing. Only data from TLS may be billed (lmn-wired 3.1);
    off, because a meter that is told to be read in the clear stands for one whose security is not looked at."""
    radio_period_s: int = 7200
    """Grid of radio meters that send no compact profile and whose profile names no period: tariff steps of at least
    120 min (lmn-wireless 1)."""
    radio_window_share: float = 0.01
    """Share of the period after an instant within which the telegram of an electricity meter counts for it: 1 % as
    for wired meters (wan-core 7.4)."""
    radio_window_share_slow: float = 0.25
    """The same for gas, water and heat, whose battery meters send seldom."""
    radio_profile_patience_s: float = 180.0
    """How long after a compact profile can no longer cover an instant its value is given up."""
    radio_unheard_patience_s: float = 10_800.0
    """How long the value of an instant is waited for as long as a meter was never heard: its first telegram may bring
    a compact profile that covers the instant."""
    radio_meter_clock_tolerance_share: float = 0.03
    """How far, as a share of the period, a meter's clock may be ahead and its profile still counts (wan-core 7.4)."""
    radio_meter_time_zone: str = "UTC"
    """Zone in which radio meters state times without zone: ``UTC`` or a name such as ``Europe/Berlin``."""
    radio_weak_modes: str = "refuse"
    """What is done with telegrams whose protection TR-03116-3 does not allow (no MAC or no counter: modes 0 and 5,
    ELL): ``refuse``, ``mark`` (stored, not for billing) or ``accept``."""
    radio_counter_store_interval_s: float = 0.0
    """Longest time that an accepted transmission counter waits to be stored; 0: with every telegram. TR-03116-3 allows
    12 h."""
    radio_led_foreign_meters: bool = True
    """Whether the wMT LED also tells telegrams of meters that have no profile."""
    bus_error_log_interval_s: float = 10.0
    """Least time between two log entries about the same trouble with the same meter."""
    calibration_log_capacity: int = 1000
    """Entries that fit into the calibration log."""
    consumer_log_capacity: int = 45_000
    """Entries that fit into one consumer log: 15 months (wan-core 7.7) of a consumer with eight meters, and the tenth
    that has to stay free. Counted for 459 days of 88 entries: 24 synchronisations, which CASA tells there; 8
    self-tests, logins and changes; for each meter four changes of the tariff, a delivery, a deletion of original and
    one of derived values. Measured values that are sent oftener than daily, and more meters, need more."""
    system_log_capacity: int = 2000
    """Entries that fit into the system log."""
    log_room_step_percent: int = 10
    """Steps of the free part, in percent, at which a product that has a message for it tells the room left in a log
    or in the storage (PPC 10235, 10236, 10254, 10256); no manual says when. 0: never."""
    log_meter_packets: bool = False
    """Whether PPC tells each data packet of a meter (10164, wan-core 8.5). The manual has the message and does not say
    when; told of each, eight meters would fill the system log in less than three days."""
    storage_capacity_octets: int = 256_000_000
    """Room for values: 24 months of eight meters at 15 minutes take 123 MB."""
    storage_limit: float = 0.9
    """Share of that room from which CONEXA enters Secure State Application (set by the administrator)."""
    consumer_log_when_full: str = "type"
    """``stop``, ``wrap``, ``drop_old`` (stop only when entries that must be kept would go) or ``type`` (as the gateway
    type says)."""
    separation_test_interval_s: float = 300.0
    """Time between two tests whether HAN and WAN are separated."""
    separation_wait_s: float = 0.5
    """How long the far socket is listened to after a probe."""
    wan_router: str = "192.0.2.1"
    """Address of the router in the WAN, by which the gateway knows that network again."""
    integrity_check_interval_s: float = 300.0
    """Time between two runtime integrity checks, where the product has no period of its own."""
    integrity_check_readings: int = 20_000
    """How many of the latest readings a self-test verifies."""
    integrity_check_signatures: int = 64
    """Of how many of the latest values, original and derived ones each, a self-test verifies the signatures."""
    integrity_check_signatures_at_start: int = 4
    """The same for the check at a start that nobody ordered."""
    integrity_check_cycle_readings: int = 500
    """How many readings the cyclic check of the stored values, where a product makes it, looks at each time."""
    integrity_check_log_entries: int = 50
    """How many of the newest entries of each log the check at a start that nobody ordered verifies; a self-test
    verifies all."""
    update_install_s: float = 60.0
    """Duration of the install phase of an update."""
    component_restart_delay_s: float = 10.0
    """Time after which a failed component is started again."""
    component_restart_attempts: int = 3
    """Attempts before a component counts as not restartable."""
    lmc_shows_bus_overload: bool = True
    """CASA: LMC heartbeat on overload of the bus supply (an option of the device)."""
    lmc_shows_invalid_time: bool = True
    """CASA: LMC blinks while the time is invalid (an option of the device)."""
    restart_pause_s: float = 1.0
    """Time all LEDs are dark between shutdown and boot at a restart."""
    boot_scale: float = 1.0
    """Factor on the durations of the boot phases that no manual prints."""
    boot_scale_printed: float = 1.0
    """The same for those that a manual prints; a gateway for people who wait starts faster than a real one."""


@dataclass(frozen=True)
class GatewayConfig:
    """What this unit is and to whom it talks.

    Attributes:
        device_id: number on the gateway, ``EPPC0210495730``.
        time_server: host and UDP port of the NTP server that is asked until a profile names others, None: none.
        meters: wired meters with a profile from the start.
        options: overrides of fields of :class:`Options` by name.
        lifecycle: ``delivered`` (no profile installed yet) or ``operational``.
        consumers: ids of the consumers, each of whom has a log of his own.
        software: version of the software as delivered; empty: as the type's data say.
        han: host and TCP port at which the home interface listens, port 0: any; None: it does not.
    """

    device_id: str = "ESBE0000000001"
    time_server: tuple[str, int] | None = None
    meters: tuple[MeterProfile, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    lifecycle: Lifecycle = "operational"
    consumers: tuple[str, ...] = ("consumer-1",)
    software: str = ""
    han: tuple[str, int] | None = None


def options_from(overrides: Mapping[str, Any], base: Options | None = None) -> Options:
    """`base` with `overrides` by name.

    Raises:
        UsageError: an unknown name or a value of the wrong kind.
    """
    start = base or Options()
    known = {one.name: getattr(start, one.name) for one in fields(Options)}
    clean: dict[str, Any] = {}
    for name, value in overrides.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"
            raise UsageError(f"gateway option {name!r} is unknown", hint=hint)
        clean[name] = _as_kind_of(name, value, known[name])
    return replace(start, **clean)


def _as_kind_of(name: str, value: Any, default: Any) -> Any:
    if isinstance(default, bool):
        good = isinstance(value, bool)
    elif isinstance(default, int):
        good = isinstance(value, int) and not isinstance(value, bool)
    elif isinstance(default, float):
        good = isinstance(value, int | float) and not isinstance(value, bool)
        value = float(value) if good else value
    else:
        good = isinstance(value, str)
    if not good:
        raise UsageError(
            f"gateway option {name!r} cannot be {value!r}", hint=f"a {type(default).__name__} such as {default!r}"
        )
    return value
