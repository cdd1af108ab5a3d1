"""The sandbox's own clock. It may run shifted or stand still, so that a replay of old packets finds a provider of that day.

The provider is another house: it does not share the product's clock object, it is told the time at `/_sandbox/clock`.
"""

import time
from datetime import UTC, datetime, timedelta


def _machine() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)  # noqa: TID251 - another house, see above


class SandboxClock:
    """Tells the sandbox's time: the machine's plus an offset, or a fixed moment."""

    def __init__(self) -> None:
        self._offset = timedelta()
        self._fixed: datetime | None = None

    def now(self) -> datetime:
        return self._fixed or _machine() + self._offset

    def shift(self, offset_seconds: float) -> None:
        """Run on, this many seconds ahead of the machine (negative: behind)."""
        self._offset, self._fixed = timedelta(seconds=offset_seconds), None

    def stand(self, at: datetime) -> None:
        """Stand still at `at`. Delays no longer pass by themselves; settle with `delay` 0 takes the steps nevertheless."""
        self._fixed = at.astimezone(UTC)

    def spec(self) -> dict[str, float | str]:
        """What makes this clock, as stored and as shown."""
        if self._fixed is not None:
            return {"fixed": self._fixed.isoformat()}
        return {"offset_seconds": self._offset.total_seconds()}

    def load(self, spec: dict[str, float | str]) -> None:
        """Become the clock of a stored spec. Raises ValueError or OverflowError for a time that cannot be."""
        if "fixed" in spec:
            at = datetime.fromisoformat(str(spec["fixed"]))
            if at.tzinfo is None:
                raise ValueError("fixed needs a time zone")
            self.stand(at)
        else:
            offset = float(spec.get("offset_seconds", 0))
            _ = _machine() + timedelta(seconds=offset)  # a time that cannot be is refused here, not at each request
            self.shift(offset)
