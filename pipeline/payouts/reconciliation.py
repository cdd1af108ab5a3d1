"""Reconciliation as a pure matcher over three sources: our attempts, the provider's payouts, the lines of the account statement.

It reads no database, no network and no clock. Everything is compared in both directions: what we have and they lack, and
what they have and we lack. What is younger than `settling` may still be on its way between the houses and is IN_FLIGHT.
Provider and statement are taken in first, then ours one after the other: whatever has found its counterpart is let go.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from pipeline.payouts.balance_chain import Chain
from pipeline.payouts.compared import Line, Ours, Result, Rules, Theirs
from pipeline.payouts.findings import Item, Kind
from pipeline.payouts.orders import payable_of
from pipeline.payouts.polling import is_stuck
from pipeline.payouts.states import DEAD, FINAL_RANK, RANKS

_NOTHING: frozenset[Kind] = frozenset()


def match(ours: Iterable[Ours], theirs: Iterable[Theirs], lines: Iterable[Line], rules: Rules, now: datetime) -> Result:
    """Compare all three; every attempt, payout and debit counts in at least one kind."""
    matcher = Matcher(rules, now)
    matcher.add_theirs(theirs)
    matcher.add_lines(lines)
    matcher.take(ours)
    return matcher.finish()


@dataclass(slots=True)
class Matcher:
    """The matcher for sources that come in pages: `add_theirs` and `add_lines`, then `take` ours, then `finish` once."""

    rules: Rules
    now: datetime
    _theirs: dict[str, Theirs] = field(default_factory=dict)  # by id, until ours claims it
    _lines: dict[str, Line] = field(default_factory=dict)  # the first line of each payout, by its id, until ours claims it
    _more: dict[str, list[Line]] = field(default_factory=dict)  # the others
    _unnamed: dict[str, Line] = field(default_factory=dict)  # by their own id: lines without a payout's
    _named: dict[str, list[Line]] = field(default_factory=dict)  # those of them with a reference of ours, or else of the bank
    _without: list[Ours] = field(default_factory=list)  # ours without a counterpart by id: judged at the end
    _live: dict[str, Theirs] = field(default_factory=dict)  # by what they pay for: the first that is not dead
    _rivals: dict[str, dict[str, Theirs]] = field(default_factory=dict)  # the same, where there are several
    _claims: dict[str, Ours | None] = field(default_factory=dict)  # who claimed a rival
    _owners: dict[str, Theirs | Line] = field(default_factory=dict)  # by bank reference: the first to carry it
    _shared: dict[str, dict[str, Theirs | Line]] = field(default_factory=dict)  # the same, where there are several
    _chain: Chain = field(default_factory=Chain)
    _items: list[Item] = field(default_factory=list)
    _matched: int = 0
    _counted: list[int] = field(default_factory=lambda: [0, 0, 0])  # ours, theirs, lines

    def add_theirs(self, theirs: Iterable[Theirs]) -> None:
        """Take in payouts of the provider; pages may overlap."""
        known, owners, live = self._theirs, self._owners, self._live
        for one in theirs:
            if known.setdefault(one.id, one) is not one:
                continue
            self._counted[1] += 1
            if one.utr and (first := owners.setdefault(one.utr, one)) is not one:
                self._share(one.utr, first, one)
            if one.reference_id is not None and one.status not in DEAD:
                payable = payable_of(one.reference_id)
                first_live = live.setdefault(payable, one)
                if first_live is not one:
                    self._rivals.setdefault(payable, {first_live.id: first_live})[one.id] = one
                    for rival in (first_live, one):
                        self._claims.setdefault(rival.id, None)

    def add_lines(self, lines: Iterable[Line]) -> None:
        """Take in lines of the statement, each once (pages may overlap), in whatever order of time."""
        firsts, owners = self._lines, self._owners
        for line in lines:
            if line.payout_id is not None:
                first = firsts.setdefault(line.payout_id, line)
                if first is not line:
                    rest = self._more.setdefault(line.payout_id, [])
                    if any(line.id == other.id for other in (first, *rest)):
                        continue
                    rest.append(line)
                elif line.utr:
                    owner = owners.setdefault(line.utr, line)
                    if owner is not line and _payout_id(owner) != line.payout_id:
                        self._share(line.utr, owner, line)
            elif self._unnamed.setdefault(line.id, line) is not line:
                continue
            elif name := line.reference_id or line.utr:
                self._named.setdefault(name, []).append(line)
            self._counted[2] += 1
            self._chain.add(line.id, line.at, line.credit_paise, line.debit_paise, line.balance_paise)

    def take(self, ours: Iterable[Ours]) -> None:
        """Judge attempts whose counterpart has their id; the others wait for `finish`, until which more of theirs may be added."""
        for mine in ours:
            self._counted[0] += 1
            name = mine.provider_payout_id
            found = self._theirs.pop(name, None) if name is not None else None
            if found is not None:
                self._judge(mine, found, self._lines_for(mine, found.id))
            else:
                self._without.append(mine)

    def missing(self) -> list[Ours]:
        """Those of ours that the provider should list and does not, as far as is known: to be asked for singly before `finish`."""
        if not self.rules.provider:
            return []
        referenced = {one.reference_id for one in self._theirs.values()} if self._without else set()
        return [mine for mine in self._without if not self._is_fine_alone(mine) and mine.reference_id not in referenced]

    def strangers(self) -> list[str]:
        """Ids and references of payouts and lines that nobody has claimed yet: ours of another time, or another tenant's."""
        claimed = {mine.provider_payout_id for mine in self._without} | {mine.reference_id for mine in self._without}
        unclaimed: list[Theirs | Line] = [*self._theirs.values(), *self._lines.values(), *self._unnamed.values()]
        names = {one.reference_id for one in unclaimed if one.reference_id is not None} | {*self._theirs, *self._lines}
        return sorted(names - claimed)

    def drop(self, ids: Iterable[str], references: Iterable[str]) -> None:
        """Forget what is somebody else's: it has its own reconciliation. The balance keeps its lines."""
        gone, named = set(ids), set(references)
        gone |= {one.id for one in self._theirs.values() if one.reference_id in named}
        for one in gone:
            self._theirs.pop(one, None)
            self._lines_of(one)
        self._unnamed = {key: line for key, line in self._unnamed.items() if line.reference_id not in named}
        self._rivals = {payable: rivals for payable, rivals in self._rivals.items() if gone.isdisjoint(rivals)}

    def finish(self) -> Result:
        """Judge what has found no counterpart, and what can be seen over all of them together."""
        self._judge_without()
        extra = self._duplicates()
        self._shared_references()
        for one in self._theirs.values():
            lines = self._lines_of(one.id)
            if one.id not in extra and (self.rules.window.holds(one.created_at) or any(self.rules.window.holds(x.at) for x in lines)):
                kind: Kind = "IN_FLIGHT" if self._is_young(one.created_at) else "MISSING_IN_LEDGER"
                self._note(kind, None, one, field="status", theirs=one.status)
        self._unexplained()
        balance = self._chain.balance() if self.rules.statement is not None else None
        for gap in balance.breaks if balance is not None else ():
            self._note_break(gap.line_id, gap.at_s, gap.expected_paise, gap.stated_paise)
        counts: dict[Kind, int] = {"MATCHED": self._matched} if self._matched else {}
        for item in self._items:
            counts[item.kind] = counts.get(item.kind, 0) + 1
        return Result(self._counted[0], self._counted[1], self._counted[2], counts, self._items, balance)

    # -- one of ours and its counterparts

    def _judge(self, mine: Ours, found: Theirs | None, lines: tuple[Line, ...]) -> None:
        before = len(self._items)
        waits = self._compare_provider(mine, found) if found is not None else False
        if self.rules.statement is not None:
            waits |= self._compare_statement(
                mine, found, lines, {item.kind for item in self._items[before:]} if len(self._items) > before else _NOTHING
            )
        if len(self._items) > before:
            return
        status = found.status if found is not None else mine.status
        if waits or RANKS.get(status or "", 0) < FINAL_RANK:
            self._note("IN_FLIGHT", mine, found)
        else:
            self._matched += 1

    def _compare_provider(self, mine: Ours, found: Theirs) -> bool:
        """Whether the difference that there is may pass by itself; what may not is noted."""
        if found.id in self._claims:
            self._claims[found.id] = mine
        if abs(mine.amount_paise - found.amount_paise) > self.rules.tolerance_paise:
            self._note("AMOUNT_MISMATCH", mine, found, "amount", str(mine.amount_paise), str(found.amount_paise))
        ours, theirs = mine.fund_account_id, found.fund_account_id
        if ours != theirs and ours is not None and theirs is not None:
            self._note("BENEFICIARY_MISMATCH", mine, found, "fund_account_id", ours, theirs)
        rank, known = RANKS.get(found.status, 0), RANKS.get(mine.status or "", 0)
        if mine.status == found.status and mine.phase != "REFUSED":
            if mine.utr != found.utr and mine.utr and found.utr:
                self._note("STATUS_MISMATCH", mine, found, "utr", mine.utr, found.utr)
            elif rank < FINAL_RANK and is_stuck(rank, found.created_at, self.now):
                self._note("STUCK", mine, found, "status", mine.status, found.status)
            return False
        if found.status == "reversed" and mine.settled:
            self._note("REVERSED_AFTER_SETTLED", mine, found, "status", mine.status, found.status)
        elif rank < known or not self._is_young(max(mine.sent_at, found.created_at)):
            self._note("STATUS_MISMATCH", mine, found, "status", mine.status or mine.phase, found.status)
        else:
            return True
        return False

    def _compare_statement(self, mine: Ours, found: Theirs | None, lines: tuple[Line, ...], told: Collection[Kind]) -> bool:
        """The same for the money itself; what the provider's list has told already (`told`) is not told again."""
        out = [line for line in lines if line.debit_paise]
        back = [line for line in lines if line.credit_paise]
        for line in out:
            seen = self._wrong_amount(mine, line)
            if seen is not None and "AMOUNT_MISMATCH" not in told:
                self._note("AMOUNT_MISMATCH", mine, found, "debit", str(mine.amount_paise), str(seen), line)
                break
        for line in out:
            ours, theirs = mine.fund_account_id, line.fund_account_id
            if ours != theirs and ours is not None and theirs is not None and "BENEFICIARY_MISMATCH" not in told:
                self._note("BENEFICIARY_MISMATCH", mine, found, "fund_account_id", ours, theirs, line)
                break
        if len(out) > len(back) + 1:
            self._note("DUPLICATE_AT_PROVIDER", mine, found, "debit", out[0].id, out[1].id, out[1])
        if mine.settled:
            return self._settled(mine, found, out, back, told)
        if not out or len(back) >= len(out) or told or self._is_young(out[-1].at):
            return bool(out) and not back and self._is_young(out[-1].at)
        status = found.status if found is not None else mine.status
        if status is None or mine.phase == "REFUSED":
            self._note("STATUS_MISMATCH", mine, found, "statement", mine.status or mine.phase, "debited", out[-1])
        elif status in DEAD:
            # a failed one shows its debit until the bank returns the money, which takes as long as any doubtful credit
            if not is_stuck(0, out[-1].at, self.now):
                return True
            self._note("STATUS_MISMATCH", mine, found, "statement", status, "debited", out[-1])
        return False

    def _settled(self, mine: Ours, found: Theirs | None, out: list[Line], back: list[Line], told: Collection[Kind]) -> bool:
        """What the statement must show of a payment: that it left, and that it did not come back."""
        if "REVERSED_AFTER_SETTLED" in told or "STATUS_MISMATCH" in told:
            return False
        if back and len(back) >= len(out):
            self._note("REVERSED_AFTER_SETTLED", mine, found, "statement", mine.status, "returned", back[-1])
        elif not out and self._covers(mine):
            if self._is_young(mine.paid_at or mine.sent_at):
                return True
            self._note("MISSING_AT_PROVIDER", mine, found, "statement", mine.status, None)
        return False

    def _wrong_amount(self, mine: Ours, line: Line) -> int | None:
        """What left instead of the amount, with fees or without; None: it is right."""
        tolerance = self.rules.tolerance_paise
        if line.amount_paise is not None and abs(line.amount_paise - mine.amount_paise) > tolerance:
            return line.amount_paise
        fees = line.fees_paise or mine.fees_paise  # some accounts take them with each payout, others later
        more = line.debit_paise - mine.amount_paise
        return None if abs(more) <= tolerance or abs(more - fees) <= tolerance else line.debit_paise

    def _covers(self, mine: Ours) -> bool:
        covered = self.rules.statement
        return covered is not None and covered.holds(mine.sent_at) and covered.holds(mine.paid_at or mine.sent_at)

    # -- ours without a counterpart by id

    def _judge_without(self) -> None:
        by_reference: dict[str, Theirs] = {}
        if self._without:
            for one in self._theirs.values():
                by_reference.setdefault(one.reference_id or one.id, one)
        for mine in self._without:
            # by our reference only while we do not know the provider's id; what was asked for singly came in after `take`
            name = mine.provider_payout_id
            found = self._theirs.pop(name, None) if name is not None else by_reference.pop(mine.reference_id, None)
            if found is not None:
                self._theirs.pop(found.id, None)
            lines = self._lines_for(mine, found.id if found is not None else name)
            if found is not None or (self.rules.provider and lines and name is None):
                self._judge(mine, found, lines)
            elif not self.rules.provider:
                self._judge_by_statement(mine, lines)
            elif self._is_fine_alone(mine):
                self._alone(mine)
            else:
                self._note("MISSING_AT_PROVIDER", mine, None, "status", mine.status or mine.phase, None)

    def _judge_by_statement(self, mine: Ours, lines: tuple[Line, ...]) -> None:
        """Without the provider's list the statement alone speaks."""
        rank = RANKS.get(mine.status or "", 0)
        if not lines and self._is_fine_alone(mine):
            self._alone(mine)
        elif rank < FINAL_RANK and mine.status is not None and is_stuck(rank, mine.sent_at, self.now):
            self._note("STUCK", mine, None, "status", mine.status, None)
        else:
            self._judge(mine, None, lines)

    def _is_fine_alone(self, mine: Ours) -> bool:
        """Never taken, certainly not sent yet, or too young to be listed."""
        refused = mine.phase == "REFUSED" and mine.provider_payout_id is None
        return refused or mine.phase == "PREPARED" or self._is_young(mine.sent_at)

    def _alone(self, mine: Ours) -> None:
        if mine.phase == "REFUSED" and mine.provider_payout_id is None:
            self._matched += 1
        else:
            self._note("IN_FLIGHT", mine, None)

    # -- what is seen over all of them together

    def _duplicates(self) -> set[str]:
        """Payouts besides the one that counts, for one report: that is ours, else the earliest. Returns their ids."""
        extra: set[str] = set()
        for rivals in self._rivals.values():
            ordered = sorted(rivals.values(), key=lambda one: (self._claims.get(one.id) is None, one.created_at, one.id))
            counts, *others = ordered
            known = self._claims.get(counts.id)
            for other in others:
                extra.add(other.id)
                self._note("DUPLICATE_AT_PROVIDER", self._claims.get(other.id) or known, other, "id", counts.id, other.id)
        return extra

    def _shared_references(self) -> None:
        """Two payouts with one bank reference."""
        for sharers in self._shared.values():
            first, *others = sorted(sharers.values(), key=lambda one: (_at(one), _payout_id(one)))
            for other in others:
                self._add("UTR_REUSED", None, _payout_id(other), _at(other), "utr", _payout_id(first), _payout_id(other), shown=other)

    def _unexplained(self) -> None:
        """Money that left without an order of ours. Fees, transfers and other movements that say what they are, are none."""
        for line in (*self._lines.values(), *self._unnamed.values()):
            lines = (line, *self._more.get(line.payout_id, ())) if line.payout_id is not None else (line,)
            out = next((one for one in lines if one.debit_paise), None)
            ordered = line.payout_id is not None or line.entity in (None, "payout")
            if out is not None and ordered and self.rules.window.holds(out.at):
                kind: Kind = "IN_FLIGHT" if self._is_young(out.at) else "MISSING_IN_LEDGER"
                self._add(kind, None, out.payout_id, out.at, "debit", None, str(out.debit_paise), shown=out)

    def _share(self, utr: str, first: Theirs | Line, other: Theirs | Line) -> None:
        self._shared.setdefault(utr, {_payout_id(first): first}).setdefault(_payout_id(other), other)

    def _lines_of(self, payout_id: str) -> tuple[Line, ...]:
        first = self._lines.pop(payout_id, None)
        if first is None:
            return ()
        return (first, *self._more.pop(payout_id)) if payout_id in self._more else (first,)

    def _lines_for(self, mine: Ours, payout_id: str | None) -> tuple[Line, ...]:
        lines = self._lines_of(payout_id) if payout_id is not None else ()
        for name in (mine.reference_id, mine.utr) if self._named else ():
            for line in self._named.pop(name, ()) if name is not None else ():
                if self._unnamed.pop(line.id, None) is not None:
                    lines = (*lines, line)
        return lines

    def _is_young(self, at: datetime) -> bool:
        return self.now - at < self.rules.settling

    def _note(
        self,
        kind: Kind,
        mine: Ours | None,
        found: Theirs | None,
        field: str | None = None,
        ours: str | None = None,
        theirs: str | None = None,
        line: Line | None = None,
    ) -> None:
        since = mine.sent_at if mine is not None else found.created_at if found is not None else self.now
        payout_id = found.id if found is not None else mine.provider_payout_id if mine is not None else None
        self._add(kind, mine, payout_id, since, field, ours, theirs, shown=line or found)

    def _add(
        self,
        kind: Kind,
        mine: Ours | None,
        payout_id: str | None,
        since: datetime,
        field: str | None,
        ours: str | None,
        theirs: str | None,
        *,
        shown: Theirs | Line | None,
    ) -> None:
        item = Item(
            kind=kind,
            payout_id=mine.payout_id if mine else None,
            attempt_id=mine.attempt_id if mine else None,
            tenant_id=mine.tenant_id if mine else shown.tenant_id if shown else None,
            report_number=mine.report_number if mine else None,
            reference_id=shown.reference_id if isinstance(shown, Theirs) else mine.reference_id if mine else _reference(shown),
            provider_payout_id=payout_id,
            line_id=shown.id if isinstance(shown, Line) else None,
            field=field,
            ours=ours,
            theirs=theirs,
            age_s=max(int((self.now - since).total_seconds()), 0),
        )
        self._items.append(item)

    def _note_break(self, line_id: str, at_s: int, expected_paise: int, stated_paise: int) -> None:
        age_s = max(int(self.now.timestamp()) - at_s, 0)
        expected, stated = str(expected_paise), str(stated_paise)
        self._items.append(Item("BALANCE_BROKEN", None, None, None, None, None, None, line_id, "balance", expected, stated, age_s))


def _payout_id(one: Theirs | Line) -> str:
    return one.id if isinstance(one, Theirs) else one.payout_id or one.id


def _at(one: Theirs | Line) -> datetime:
    return one.created_at if isinstance(one, Theirs) else one.at


def _reference(one: Theirs | Line | None) -> str | None:
    return one.reference_id if one is not None else None
