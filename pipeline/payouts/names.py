"""Whether two names are one person's: of 100, tolerant of order, accents, initials, titles and a name that one of the two leaves out.

Pure. A credential and a bank write the same person differently; this says how well they agree, and nothing of who is right.
"""

import unicodedata
from collections.abc import Iterable
from difflib import SequenceMatcher

AGREES_FROM = 80  # two full names that agree and a third that one side lacks score 93; two people of one family name 60 and less
INITIAL = 0.75  # an initial agrees with every name that begins so: less than a name, enough beside one
ALIKE_FROM = 0.85  # one letter in seven may differ: transliterations do, other names differ more
ONE_NAME_MOST = 0.7  # one name alone is shared by too many people
LONGER_SHARE = 0.2  # of the score for what the longer name has besides
TITLES = frozenset({"mr", "mrs", "ms", "miss", "dr", "prof", "shri", "sri", "smt", "kumari", "mme", "mlle"})
WRITTEN_SHORT = {"md": "mohammed", "mohd": "mohammed", "mhd": "mohammed", "abd": "abdul"}


def fold(name: str) -> list[str]:
    """The parts of a name in small letters, without accents, marks and titles."""
    plain = unicodedata.normalize("NFKD", name)
    letters = "".join(c if c.isalpha() else "" if unicodedata.category(c).startswith("M") or c in "'’" else " " for c in plain)
    parts = [WRITTEN_SHORT.get(part, part) for part in letters.casefold().split()]
    kept = [part for part in parts if part not in TITLES]
    return kept or parts


def agreement(one: str, other: str) -> int:
    """How well two names agree, 0 to 100; 0 where one of them is empty."""
    shorter, longer = sorted((fold(one), fold(other)), key=len)
    if not shorter:
        return 0
    if sorted(shorter) == sorted(longer) and max(map(len, shorter)) > 1:
        return 100
    pairs = _pairs(shorter, longer)
    total = sum(pairs)
    score = (1 - LONGER_SHARE) * total / len(shorter) + LONGER_SHARE * total / len(longer)
    whole = sum(1 for value in pairs if value >= ALIKE_FROM)
    if whole < 2 and (len(longer) > 1 or len(shorter[0]) == 1):
        # one name agrees: beside it an initial must, and nothing may be left over that contradicts
        most = 1.0 if whole == 1 and len(shorter) > 1 and min(pairs) > 0 else ONE_NAME_MOST
        score = min(score, most)
    return round(100 * score)


def best_agreement(names: Iterable[str], other: str) -> int:
    """The best agreement of several spellings, such as one a language, with another name."""
    return max((agreement(name, other) for name in names), default=0)


def _pairs(shorter: list[str], longer: list[str]) -> list[float]:
    """How well each part of the shorter name agrees with a part of the longer one that no other has taken; the best pairs first."""
    found = sorted(
        ((_alike(a, b), i, j) for i, a in enumerate(shorter) for j, b in enumerate(longer)), key=lambda one: (-one[0], one[1], one[2])
    )
    values, used_i, used_j = [0.0] * len(shorter), set[int](), set[int]()
    for value, i, j in found:
        if value and i not in used_i and j not in used_j:
            values[i] = value
            used_i.add(i)
            used_j.add(j)
    return values


def _alike(one: str, other: str) -> float:
    if one == other:
        return 1.0 if len(one) > 1 else INITIAL
    if len(one) == 1 or len(other) == 1:
        return INITIAL if one[0] == other[0] else 0.0
    ratio = SequenceMatcher(None, one, other, autojunk=False).ratio()
    return ratio if ratio >= ALIKE_FROM else 0.0
