"""How fast we call the live provider: it advises 5 to 10 requests a second and throttles whoever sends more."""

import threading
import time

LIVE_PER_S = 8  # between the two, for the whole process; another worker beside it is told by a 429, which pauses both


class Throttle:
    """Lets calls through at an even pace, whichever thread makes them."""

    def __init__(self, per_s: float) -> None:
        self._apart_s = 1 / per_s
        self._lock = threading.Lock()
        self._next = 0.0  # by time.monotonic

    def wait(self) -> None:
        """Return when it is this call's turn."""
        with self._lock:
            now = time.monotonic()
            turn = max(self._next, now)
            self._next = turn + self._apart_s
        if turn > now:
            time.sleep(turn - now)


live = Throttle(LIVE_PER_S)
