"""The running balance of an account statement as a chain: what one line leaves is what the next one finds. Pure.

Lines of about one moment come in no order that could be relied on; the chain takes that one of them which continues it. After
a break it goes on from the balance that the statement states or from the one that its amounts make, whichever the next line
continues: so a single wrong balance is told once.
"""

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

ORDER_S = 2  # how far apart in time two lines may stand in the wrong order: clocks of several machines write them
AHEAD = 1000  # lines looked at for the one that continues; a statement with dates alone has a whole day at one moment


@dataclass(frozen=True, slots=True)
class Break:
    """Where the chain does not hold: before this line the account should have held `expected_paise`, and the line says otherwise."""

    line_id: str
    at_s: int  # Unix seconds
    expected_paise: int
    stated_paise: int


@dataclass(frozen=True, slots=True)
class Balance:
    """Opening + credited - debited = closing when nothing is missing. Opening and closing None: no line states a balance."""

    opening_paise: int | None
    credited_paise: int
    debited_paise: int
    closing_paise: int | None
    breaks: tuple[Break, ...]


@dataclass(slots=True)
class Chain:
    """Statement lines as they come, 32 bytes each; `balance` puts them in order and follows them."""

    _ids: list[str] = field(default_factory=list)
    _at: "array[int]" = field(default_factory=lambda: array("q"))
    _net: "array[int]" = field(default_factory=lambda: array("q"))
    _after: "array[int]" = field(default_factory=lambda: array("q"))
    _credited: int = 0
    _debited: int = 0

    def add(self, line_id: str, at: datetime, credit_paise: int, debit_paise: int, balance_paise: int | None) -> None:
        """Take a line; one without a balance counts in the sums only."""
        self._credited += credit_paise
        self._debited += debit_paise
        if balance_paise is not None:
            self._ids.append(line_id)
            self._at.append(int(at.timestamp()))
            self._net.append(credit_paise - debit_paise)
            self._after.append(balance_paise)

    def balance(self) -> Balance:
        """Follow the chain from the oldest line to the newest."""
        if not self._ids:
            return Balance(None, self._credited, self._debited, None, ())
        at = self._at
        given = range(len(at))
        # lists often come newest first; then the lines of one second do too
        order = sorted(reversed(given) if at[0] > at[-1] else given, key=at.__getitem__)
        opening = self._opening([i for i in order[:AHEAD] if at[i] <= at[order[0]] + ORDER_S])
        entering: tuple[int, ...] = (opening,)  # from which the chain may go on
        breaks: list[Break] = []
        waiting: list[int] = []  # lines of the present moment, oldest first
        strays: list[tuple[int, int]] = []  # lines of a moment that passed without them, and what was held then
        place = 0
        while waiting or place < len(order):
            if not waiting:
                waiting.append(order[place])
                place += 1
            taken = 0
            if self._before(waiting[0]) not in entering:
                while place < len(order) and at[order[place]] <= at[waiting[0]] + ORDER_S and len(waiting) < AHEAD:
                    waiting.append(order[place])
                    place += 1
                taken = next((k for k, i in enumerate(waiting) if self._before(i) in entering), -1)
            if taken < 0 and self._may_be_left(waiting, order[place] if place < len(order) else None, entering):
                strays += [(i, entering[0]) for i in waiting]
                waiting = []
                continue
            i = waiting.pop(max(taken, 0))
            if taken < 0:
                breaks.append(self._break(i, entering[0]))
            entering = (self._after[i],) if taken >= 0 else (self._after[i], entering[0] + self._net[i])
        found, _ = self._ends([i for i, _ in strays])
        breaks += [self._break(i, held) for i, held in strays if self._before(i) in found]
        return Balance(opening, self._credited, self._debited, entering[0], tuple(breaks))

    def _may_be_left(self, waiting: list[int], following: int | None, entering: tuple[int, ...]) -> bool:
        """Whether the chain goes on without them: it does so behind them, or they lead back to where they began."""
        if following is not None:
            return self._before(following) in entering
        return not any(self._ends(waiting))

    def _break(self, i: int, expected_paise: int) -> Break:
        return Break(self._ids[i], self._at[i], expected_paise, self._before(i))

    def _before(self, i: int) -> int:
        return self._after[i] - self._net[i]

    def _opening(self, first: list[int]) -> int:
        found, _ = self._ends(first)
        return next(iter(found)) if found.total() == 1 else self._before(first[0])

    def _ends(self, lines: Sequence[int]) -> tuple[Counter[int], Counter[int]]:
        """The balances that some line finds and none leaves, and those that some line leaves and none finds."""
        found = Counter(self._before(i) for i in lines)
        left = Counter(self._after[i] for i in lines)
        return found - left, left - found
