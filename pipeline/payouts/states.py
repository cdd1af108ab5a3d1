"""The provider's life of a payout as ranks, and what a sighting of it means for us. Pure; forward only.

Events come late, twice and out of order. Only a rise in rank changes anything; what comes at the same height or below is
kept and has no effect, unless it contradicts what we have done with the money: then a person must look.
"""

from typing import Literal

# A payout moves to a higher rank or not at all
RANKS: dict[str, int] = {
    "pending": 2,
    "scheduled": 2,
    "queued": 3,
    "processing": 4,
    "processed": 5,
    "cancelled": 5,
    "failed": 5,
    "rejected": 5,
    "reversed": 6,
}
FINAL_RANK = 5  # from here on the money has gone or stayed; only a reversal may follow
UNPAID = frozenset({"cancelled", "failed", "rejected"})
DEAD = UNPAID | {"reversed"}  # nothing is out, and nothing will be

Effect = Literal[
    "UNDER_WAY",  # noted: not final yet
    "PAID",  # the obligation is met
    "FAILED",  # it is open again; the reservation is given back
    "REVERSED",  # it was met, and the money came back
    "NOTED",  # true of this attempt, without meaning for the obligation
    "LATE",  # known already, or overtaken
    "CONFLICT",  # money is or was out that we do not count: a person must look
]


def effect_of(
    *,
    status: str,
    known_status: str | None,
    known_rank: int,
    counts: bool,
    open_: bool,
    paid_by_it: bool,
) -> Effect:
    """What follows when the provider shows `status` for an attempt of which we knew `known_status`.

    `counts`: it is the obligation's latest attempt and we hold it for sent; `open_`: the obligation waits for its outcome;
    `paid_by_it`: the obligation counts as met, and by the provider. Raises KeyError for a status that has no rank.
    """
    rank = RANKS[status]
    if rank < known_rank or status == known_status:
        return "LATE"
    if rank == known_rank:
        return "CONFLICT" if "processed" in (status, known_status) else "LATE"
    if status in DEAD:
        if counts and open_:
            return "FAILED"
        return "REVERSED" if counts and paid_by_it and status == "reversed" else "NOTED"
    if counts and paid_by_it:  # a person found out before the provider told us
        return "NOTED"
    if not (counts and open_):
        return "CONFLICT"
    return "PAID" if status == "processed" else "UNDER_WAY"
