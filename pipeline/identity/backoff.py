"""How long a failed step waits before it is tried again, and after how many tries a person is asked."""

from dataclasses import dataclass
from datetime import timedelta

LONGEST = 64  # doublings: every cap is reached by then, and numbers have an end


@dataclass(frozen=True)
class Backoff:
    """Waits that grow by a factor up to a cap; after `tries` failures in a row it is given up."""

    first_s: float
    factor: float
    cap_s: float
    tries: int

    def after(self, failures: int) -> timedelta:
        """How long to wait after so many failures, at least 1."""
        return timedelta(seconds=min(self.first_s * self.factor ** min(failures - 1, LONGEST), self.cap_s))

    def is_over(self, failures: int) -> bool:
        """Whether that was the last try."""
        return failures >= self.tries


REQUESTS = Backoff(first_s=10, factor=2, cap_s=1800, tries=10)  # some two and a half hours: the generator is ours and comes back
ISSUING = Backoff(first_s=10, factor=2, cap_s=1800, tries=10)  # so does the credential service; a key or a policy that is missing does not
STORING = Backoff(first_s=5, factor=1.5, cap_s=120, tries=10)  # some six minutes, as the field has it: the share may expire meanwhile
DELIVERING = Backoff(first_s=5, factor=2, cap_s=600, tries=40)  # some six hours: a subscriber's bad night
VERIFYING = Backoff(first_s=5, factor=2, cap_s=60, tries=5)  # whoever subscribes should be there to be asked
ACKNOWLEDGING = Backoff(first_s=5, factor=2, cap_s=600, tries=10_000)  # never given up: it is all that the issuer learns
REISSUING = Backoff(first_s=30, factor=4, cap_s=3600, tries=5)  # each costs a share and a credential; five that fail are no accident
COMPARING = Backoff(first_s=300, factor=2, cap_s=3600, tries=6)  # after five minutes a message is lost and not late; six reach over hours
