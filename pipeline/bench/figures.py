"""Figures as people read them: percentiles, a table, and the same as data. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MS = 1000


@dataclass(frozen=True)
class Spread:
    """How long something took, in milliseconds; None where there is nothing to tell."""

    count: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    refused: int = 0


@dataclass(frozen=True)
class Result:
    """One measured scene. `rate` in lifecycles a second; `cpu_ms` per lifecycle, by process."""

    title: str
    about: str
    seconds: float
    lifecycles: int
    answers: Mapping[str, Spread]
    cpu_ms: Mapping[str, float] = field(default_factory=dict)
    waits: Mapping[str, Spread] = field(default_factory=dict)
    published: float | None = None
    errors: Mapping[str, int] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @property
    def rate(self) -> float:
        return self.lifecycles / self.seconds if self.seconds else 0.0


def spread(seconds: Sequence[float], refused: int = 0) -> Spread:
    """The percentiles of some durations, each one that really occurred (nearest rank)."""
    if not seconds:
        return Spread(0, None, None, None, None, refused)
    ordered = sorted(seconds)

    def rank(share: float) -> float:
        return round(ordered[max(math.ceil(share * len(ordered)) - 1, 0)] * MS, 1)

    return Spread(len(ordered), rank(0.50), rank(0.95), rank(0.99), round(ordered[-1] * MS, 1), refused)


def as_text(result: Result) -> list[str]:
    """The lines that are printed for a scene."""
    lines = ["", result.title, f"  {result.about}"]
    published = (
        ""
        if result.published is None
        else f"   published: {result.published:g}/s on 16 vCPU, ours is {result.rate / result.published:.1f} times that"
    )
    lines.append(f"  {result.rate:.1f} lifecycles/s ({result.lifecycles} in {result.seconds:.0f} s){published}")
    lines += table("answer", result.answers)
    if result.waits:
        lines += table("waits for", result.waits)
    if result.cpu_ms:
        used = ", ".join(f"{name} {ms:.1f}" for name, ms in result.cpu_ms.items())
        lines.append(f"  processor ms per lifecycle: {used}; in all {sum(result.cpu_ms.values()):.1f}")
    if result.errors:
        lines.append("  refused: " + ", ".join(f"{code} {count}" for code, count in sorted(result.errors.items())))
    return lines + [f"  {note}" for note in result.notes]


def as_data(result: Result) -> dict[str, Any]:
    """The same for a program."""
    return {
        "title": result.title,
        "about": result.about,
        "seconds": round(result.seconds, 2),
        "lifecycles": result.lifecycles,
        "lifecycles_per_second": round(result.rate, 2),
        "published_per_second": result.published,
        "answers": {name: vars(one) for name, one in result.answers.items()},
        "waits": {name: vars(one) for name, one in result.waits.items()},
        "cpu_ms_per_lifecycle": {name: round(ms, 2) for name, ms in result.cpu_ms.items()},
        "errors": dict(result.errors),
        "notes": list(result.notes),
    }


def table(what: str, rows: Mapping[str, Spread]) -> list[str]:
    """A line for each row, under a head."""
    width = max(len(what), *(len(name) for name in rows)) if rows else len(what)
    lines = [f"  {what:<{width}} {'n':>7} {'p50 ms':>9} {'p95 ms':>9} {'p99 ms':>9} {'max ms':>9} {'refused':>8}"]
    for name, one in rows.items():
        numbers = " ".join(
            f"{'-' if value is None else format(value, '.1f'):>9}" for value in (one.p50_ms, one.p95_ms, one.p99_ms, one.max_ms)
        )
        lines.append(f"  {name:<{width}} {one.count:>7} {numbers} {one.refused:>8}")
    return lines
