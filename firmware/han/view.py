"""What one consumer may see of the gateway, and nothing else; all surfaces of the products read through this."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from firmware.han.disturbance import Bound
from firmware.han.sight import ALL, FOR_EVER, Sight, Spans
from firmware.han.users import HanUser
from firmware.logs.book import CONSUMER
from firmware.logs.pages import Answered, Asked, export, page
from firmware.metering import derived, values
from firmware.metering.contracts import Contract, contract_of
from firmware.metering.derived import DerivedEntry
from firmware.metering.tariffs.entries import Kind
from firmware.metering.values import Reading
from firmware.product import Product
from firmware.profiles.kinds import SensorProfile, TariffProfile
from firmware.profiles.states import State
from firmware.profiles.store import ProfileStore
from firmware.storage.memory import NonVolatileMemory

ContractState = Literal["ready", "running", "archive"]
_STATES: Final[dict[State, ContractState]] = {State.READY: "ready", State.RUNNING: "running"}
_PIECE_S: Final = 16 * 86_400
"""Span of readings that is fetched from the memory at once."""
MOST_PERIODS: Final = 5000
"""Billing periods of one contract."""


@dataclass(frozen=True, slots=True)
class HanContract:
    """A contract as its consumer sees it.

    Attributes:
        profile: the evaluation profile.
        contract: metering point, supplier, tariff name.
        state: not begun, running, or ended and still readable.
    """

    profile: TariffProfile
    contract: Contract
    state: ContractState

    @property
    def id(self) -> str:
        """Name of the profile, the TAF id."""
        return self.profile.id


@dataclass(frozen=True, slots=True)
class BillingSpan:
    """A billing period.

    Attributes:
        begin_s: its first instant, seconds since 1970.
        end_s: its last instant, which is the first of the next; None: open.
        closed: whether its last reading is done.
    """

    begin_s: int
    end_s: int | None
    closed: bool


class ConsumerView:
    """The gateway as one consumer may see it, for one request.

    Args:
        user: the consumer.
        store: the profiles.
        memory: values and logs.
        product: limits of the log.
        now_s: time of the gateway.
        bound: up to where values are shown, None: up to now.
        sight: what he may see by the profiles, where it is known already.
    """

    def __init__(
        self,
        user: HanUser,
        store: ProfileStore,
        memory: NonVolatileMemory,
        product: Product,
        now_s: float,
        bound: Bound | None = None,
        sight: Sight | None = None,
    ) -> None:
        self.user = user
        self._store = store
        self._memory = memory
        self._product = product
        self._now_s = now_s
        self._bound = bound
        self._sight = sight or Sight(user.id, store)

    # --- meters

    def meters(self) -> tuple[SensorProfile, ...]:
        """Profiles of the meters that he may see, in their order."""
        return self._sight.meters

    def registers(self, meter: str) -> frozenset[str] | None:
        """OBIS codes that he may see of a meter, None: all of them; empty for a meter that is not his."""
        spans = self._spans(meter)
        return None if ALL in spans else frozenset(spans)

    def _spans(self, meter: str) -> Spans:
        return self._sight.spans(meter)

    # --- original values

    def latest(self, meter: str) -> Reading | None:
        """The newest reading of a meter that has values, with the registers that he may see; None without one."""
        # The key of both tables begins with the instant: so gaps are passed over one look-up each.
        sql = (
            "SELECT grid_s FROM reading WHERE meter = ?1 AND grid_s BETWEEN ?2 AND ?3 AND EXISTS (SELECT 1 FROM entry "
            "WHERE entry.grid_s = reading.grid_s AND entry.meter = ?1 AND (?4 = '' OR entry.obis = ?4)) "
            "ORDER BY grid_s DESC LIMIT 1"
        )
        newest_s: int | None = None
        spans = [(last_s, first_s, obis) for obis, each in self._spans(meter).items() for first_s, last_s in each]
        if self._bound is not None:
            until_s = self._bound.of_meter(meter)
            spans = [(min(last_s, until_s), first_s, obis) for last_s, first_s, obis in spans]
        searched: tuple[int, int] | None = None  # with all registers: what is newer in there has been found
        for last_s, first_s, obis in sorted(spans, key=lambda one: (one[0], one[2] == ALL, one[1]), reverse=True):
            begin_s = first_s if newest_s is None else max(first_s, newest_s + 1)
            if begin_s > last_s or (searched is not None and searched[0] <= begin_s and last_s <= searched[1]):
                continue
            for (grid_s,) in self._memory.query(sql, (meter, begin_s, last_s, obis)):
                newest_s = int(grid_s)
            if obis == ALL:
                searched = (first_s, last_s)
        if newest_s is None:
            return None
        found = values.read(self._memory, meter, newest_s, newest_s + 1)
        return _within(found[0], self._spans(meter)) if found else None

    def originals(self, meter: str, begin_s: int, end_s: int) -> Iterator[Reading]:
        """Readings of a meter with the registers that he may see, both bounds included, the oldest first.

        Fetched piece by piece. Gaps are readings without entries. Instants of which he may see nothing are left out.
        """
        spans = self._spans(meter)
        every = [span for one in spans.values() for span in one]
        begin_s = max(begin_s, min((first for first, _ in every), default=FOR_EVER))
        end_s = min(end_s, max((last for _, last in every), default=-FOR_EVER))
        if self._bound is not None:
            end_s = min(end_s, self._bound.of_meter(meter))
        # The key of the table begins with the instant: so both rows are found without going through all of them.
        sql = "SELECT grid_s FROM reading WHERE meter = ? AND grid_s BETWEEN ? AND ? ORDER BY grid_s {} LIMIT 1"
        bounds = (meter, begin_s, end_s)
        first, last = (self._memory.query(sql.format(order), bounds) for order in ("ASC", "DESC"))
        if not first:
            return
        since_s, until_s = first[0][0], last[0][0] + 1
        while since_s < until_s:
            piece_s = min(until_s, since_s + _PIECE_S)
            for one in values.read(self._memory, meter, since_s, piece_s):
                seen = _within(one, spans)
                if seen is not None:
                    yield seen
            since_s = piece_s

    def newest_originals(
        self, contract_id: str, begin_s: int, end_s: int, first: int, count: int
    ) -> list[tuple[str, Reading]]:
        """OBIS code and reading for each register of one of his contracts, both bounds included, the newest first.

        Only the `count` ones behind the first `first` are fetched; instants before the contract or after it are none.
        """
        found = self.contract(contract_id)
        if found is None:
            return []
        terms = found.contract
        begin_s, end_s = max(begin_s, terms.begin_s), end_s if terms.end_s is None else min(end_s, terms.end_s)
        wanted = ", ".join(f"({place}, ?)" for place in range(len(terms.registers)))
        shown = "" if self._bound is None else _shown([self._bound.of_meter(meter) for meter, _ in terms.registers])
        sql = (
            f"WITH wanted(place, meter) AS (VALUES {wanted}) SELECT grid_s, place FROM reading CROSS JOIN wanted "
            f"ON wanted.meter = reading.meter WHERE grid_s BETWEEN ? AND ?{shown} "
            "ORDER BY grid_s DESC, place LIMIT ? OFFSET ?"
        )
        meters = tuple(meter for meter, _ in terms.registers)
        rows = self._memory.query(sql, (*meters, begin_s, end_s, count, first))
        if not rows:
            return []
        readings = {
            (meter, one.grid_s): one
            for meter in dict.fromkeys(meters)
            for one in self.originals(meter, rows[-1][0], rows[0][0])
        }
        chosen = ((terms.registers[place], grid_s) for grid_s, place in rows)
        return [(code, readings[meter, at_s]) for (meter, code), at_s in chosen if (meter, at_s) in readings]

    # --- contracts

    def contracts(self) -> tuple[HanContract, ...]:
        """His contracts, ended ones as well while their values are kept."""
        return tuple(self._contract(one) for one in self._sight.evaluations)

    def contract(self, contract_id: str) -> HanContract | None:
        """One of his contracts; None when there is none of that id, or it is somebody else's."""
        return next((one for one in self.contracts() if one.id == contract_id), None)

    def _contract(self, profile: TariffProfile) -> HanContract:
        contract = contract_of(profile.evaluation, profile.usage_point, profile.supplier, profile.tariff)
        return HanContract(profile, contract, _STATES.get(self._store.state(profile.id), "archive"))

    def derived(
        self,
        contract_id: str,
        begin_s: int | None = None,
        end_s: int | None = None,
        kinds: Collection[Kind] | None = None,
    ) -> Iterator[DerivedEntry]:
        """Derived values of one of his contracts, both bounds included, the oldest first; nothing for another's."""
        if self.contract(contract_id) is None:
            return
        if self._bound is not None:
            end_s = self._bound.of_contract(contract_id, end_s)
        for one in derived.read(self._memory, contract_id, begin_s, end_s):
            if kinds is None or one.derived.kind in kinds:
                yield one

    def newest_derived(self, contract_id: str, begin_s: int, end_s: int, first: int, count: int) -> list[DerivedEntry]:
        """The same, the newest first; only the `count` ones behind the first `first` are fetched."""
        if self.contract(contract_id) is None:
            return []
        if self._bound is not None:
            end_s = self._bound.of_contract(contract_id, end_s)
        return derived.newest(self._memory, contract_id, begin_s, end_s, first, count)

    def sent(self, contract_id: str) -> tuple[tuple[int, int], ...]:
        """First and last instant of each delivery of one of his contracts that has reached a market participant."""
        if self.contract(contract_id) is None:
            return ()
        newest = FOR_EVER if self._bound is None else self._bound.sent
        sql = "SELECT begin_s, end_s FROM sent WHERE profile = ? AND number <= ? ORDER BY number"
        rows = self._memory.query(sql, (contract_id, newest))
        return tuple((int(begin_s), int(end_s)) for begin_s, end_s in rows)

    def periods(self, contract_id: str) -> tuple[BillingSpan, ...]:
        """The billing periods of a contract up to the present one, the oldest first.

        Without billing periods in its profile all of its validity is one.
        """
        found, now_s = self.contract(contract_id), self._now_s
        if found is None:
            return ()
        decided_s = self._store.progress(contract_id).decided_s
        if self._bound is not None and self._bound.at_s is not None:
            now_s, decided_s = min(now_s, self._bound.at_s), self._bound.decided.get(contract_id)
        evaluation = found.profile.evaluation
        if evaluation.begin_s > now_s:
            return ()
        spans: list[BillingSpan] = []
        begin_s = evaluation.begin_s
        while begin_s <= now_s and len(spans) < MOST_PERIODS:
            end_s = evaluation.end_s
            if evaluation.billing is not None:
                next_s = evaluation.billing.next_after(begin_s, evaluation.begin_s)
                end_s = next_s if end_s is None else min(next_s, end_s)
            closed = end_s is not None and decided_s is not None and end_s <= decided_s
            spans.append(BillingSpan(begin_s, end_s, closed))
            if end_s is None or end_s == evaluation.end_s or end_s <= begin_s:
                break
            begin_s = end_s
        return tuple(spans)

    # --- log

    def log(
        self,
        *,
        since: int | None = None,
        begin_s: int | None = None,
        end_s: int | None = None,
        count: int | None = None,
    ) -> Answered:
        """Entries of his log behind number `since`, from `begin_s` on and before `end_s`, as the product limits it."""
        return export(self._product, self._memory, self._asked(since, begin_s, end_s, count))

    def log_page(
        self, number: int, *, begin_s: int | None = None, end_s: int | None = None, newest_first: bool = False
    ) -> Answered:
        """One page of his log, counted from 1. Raises ValueError for 0."""
        asked = self._asked(None, begin_s, end_s, None)
        return page(self._product, self._memory, asked, number, newest_first=newest_first)

    def _asked(self, since: int | None, begin_s: int | None, end_s: int | None, count: int | None) -> Asked:
        return Asked(CONSUMER, self.user.id, since, _us(begin_s), _us(end_s), count)


def _shown(newest_s: Sequence[int]) -> str:
    """A condition on readings: the newest instant of each place."""
    return f" AND grid_s <= CASE place {' '.join(f'WHEN {place} THEN {at}' for place, at in enumerate(newest_s))} END"


def _us(at_s: int | None) -> int | None:
    return None if at_s is None else at_s * 1_000_000


def _within(reading: Reading, spans: Mapping[str, Sequence[tuple[int, int]]]) -> Reading | None:
    """The reading with the registers of which one of the spans has its instant; None when there is no such register."""
    at_s = reading.grid_s
    seen = {obis for obis, each in spans.items() if any(first <= at_s <= last for first, last in each)}
    if not seen:
        return None
    if ALL in seen or reading.gap:
        return reading
    return replace(reading, entries=tuple(entry for entry in reading.entries if entry.obis in seen))
