"""The figures of `bench api` as people read them and as data. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.bench.driver import Told
from pipeline.bench.figures import MS, Spread, spread
from pipeline.bench.floor import Used

TARGET_MS = 50.0  # asked of the 95th percentile of _search and _track in the open loop
ASKED = ("_search", "_track")


@dataclass(frozen=True)
class Line:
    """One kind of request: how many a second were answered, how fast, and what an answer cost each process in milliseconds."""

    call: str
    per_second: float
    took: Spread
    cpu_ms: Mapping[str, float] = field(default_factory=dict)
    own_share: float = 0.0


@dataclass(frozen=True)
class Scene:
    """One loop with all its kinds."""

    title: str
    about: str
    lines: Sequence[Line]
    errors: Mapping[str, int]
    notes: Sequence[str] = ()

    def as_text(self) -> list[str]:
        """The lines that are printed."""
        width = max(len(line.call) for line in self.lines)
        costs = any(line.cpu_ms for line in self.lines)
        head = f"  {'':<{width}} {'a second':>9} {'n':>7} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8} {'max ms':>8} {'refused':>8}"
        rows = [head + (f" {'processor ms: API, Postgres, others':>36} {'client':>7}" if costs else "")]
        for line in self.lines:
            one = line.took
            numbers = " ".join(_number(value) for value in (one.p50_ms, one.p95_ms, one.p99_ms, one.max_ms))
            row = f"  {line.call:<{width}} {line.per_second:>9.1f} {one.count:>7} {numbers} {one.refused:>8}"
            if line.cpu_ms:
                api, database = line.cpu_ms.get("api", 0.0), line.cpu_ms.get("postgres", 0.0)
                others = sum(ms for name, ms in line.cpu_ms.items() if name not in ("api", "postgres", "clients"))
                row += f" {f'{api:.2f}, {database:.2f}, {others:.2f}':>36} {line.own_share:>7.0%}"
            rows.append(row)
        refused = [f"  refused: {what}, {count} times" for what, count in sorted(self.errors.items())]
        return ["", self.title, f"  {self.about}", *rows, *refused, *(f"  {note}" for note in self.notes)]

    def as_data(self) -> dict[str, Any]:
        """The same for a program."""
        return {
            "title": self.title,
            "about": self.about,
            "calls": {
                line.call: {
                    "per_second": round(line.per_second, 2),
                    **vars(line.took),
                    "cpu_ms": {name: round(ms, 3) for name, ms in line.cpu_ms.items()},
                    "client_share_of_a_core": round(line.own_share, 3),
                }
                for line in self.lines
            },
            "errors": dict(self.errors),
            "notes": list(self.notes),
        }


def closed_line(call: str, told: Told, used: Used) -> Line:
    """What a closed loop of one kind found; the processor's time is that of the warming-up too, for each answer of both."""
    took = [seconds for times in told.took.values() for seconds in times]
    return Line(
        call=call,
        per_second=len(took) / told.seconds if told.seconds else 0.0,
        took=spread(took, sum(told.refused.values())),
        cpu_ms={name: seconds * MS / max(told.answered, 1) for name, seconds in used.seconds.items()},
        own_share=told.own_share,
    )


def open_lines(told: Told) -> list[Line]:
    """Every kind of an open loop; those whose names agree up to a colon first together, then each."""
    groups: dict[str, list[str]] = {}
    for kind in sorted(told.took):
        groups.setdefault(kind.partition(":")[0], []).append(kind)
    lines = []
    for group, kinds in groups.items():
        took = [seconds for kind in kinds for seconds in told.took[kind]]
        refused = sum(told.refused[kind] for kind in kinds)
        lines.append(Line(group, len(took) / told.seconds, spread(took, refused)))
        if kinds != [group]:
            lines += [Line(f"  {kind}", len(told.took[kind]) / told.seconds, spread(told.took[kind], told.refused[kind])) for kind in kinds]
    return lines


def verdict(lines: Sequence[Line]) -> list[str]:
    """Whether the calls of which a time is asked kept it."""
    found = []
    for line in lines:
        if line.call in ASKED and line.took.p95_ms is not None:
            kept = "kept" if line.took.p95_ms < TARGET_MS else "missed"
            found.append(f"{line.call}: p95 {line.took.p95_ms:.1f} ms, under {TARGET_MS:.0f} asked: {kept}")
    return found


def _number(value: float | None) -> str:
    return f"{'-' if value is None else format(value, '.1f'):>8}"
