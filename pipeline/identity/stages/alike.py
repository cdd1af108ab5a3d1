"""How alike two people are by name, birthday, gender and phone: pure comparison, and the keys by which likely pairs are found.

Nothing here touches a database. A key is what is hashed, never what is stored.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal

from pipeline.identity.stages.validator import birth_date

KeyKind = Literal["PHONETIC_NAME_BIRTH_YEAR", "PHONE", "BIRTH_DATE_GENDER"]
BirthSays = Literal["SAME", "SWAPPED", "SAME_YEAR", "OTHER"]

NAME_POINTS, BIRTH_POINTS, PHONE_POINTS, GENDER_POINTS = 50, 25, 15, 10  # of 100
BIRTH_SHARE: Mapping[BirthSays, float] = {
    "SAME": 1.0,
    "SWAPPED": 0.6,  # day and month, as two clerks write them
    "SAME_YEAR": 0.3,
    "OTHER": 0.0,
}
PREFIX_BONUS, PREFIX_LETTERS = 0.1, 4  # Winkler's: people misspell ends rather than beginnings
MAX_TOKENS = 8  # of a name: comparing takes the square of it

# Letters that sound alike, as Soundex groups them; vowels and h, w, y tell nothing
_SOUNDS = {letter: digit for letters, digit in (("bfpv", "1"), ("cgjkqsxz", "2"), ("dt", "3"), ("l", "4"), ("mn", "5"), ("r", "6"))
           for letter in letters}  # fmt: skip


@dataclass(frozen=True)
class Compared:
    """A person as far as two are compared."""

    names: Mapping[str, str]  # by language
    born: date | None
    gender: str | None
    phone: str | None


@dataclass(frozen=True)
class Likeness:
    """How alike two people are, part by part; holds no value of either."""

    score: int  # 0 to 100
    name: int  # 0 to 100
    birth_date: BirthSays
    gender: bool
    phone: bool

    def as_json(self) -> dict[str, Any]:
        """The parts by their names, for rows and screens."""
        told = asdict(self)
        told["birthDate"] = told.pop("birth_date")
        return told


def compared(fields: Mapping[str, Any], languages: Sequence[str]) -> Compared:
    """What is compared, out of the valid fields of ID.json; names in the order of the schema's languages."""
    written = {entry["language"]: entry["value"] for entry in fields.get("fullName", ())}
    names = {language: written[language] for language in languages if language in written}
    gender = next((entry["value"] for entry in fields.get("gender", ())), None)
    phone = "".join(character for character in str(fields.get("phone") or "") if character.isdigit())
    return Compared(names, birth_date(fields.get("dateOfBirth")), gender, phone or None)


def keys(one: Compared) -> dict[KeyKind, str]:
    """What a person is found by; a key that nothing is known for is left out."""
    found: dict[KeyKind, str] = {}
    name = next(iter(one.names.values()), None)
    if one.born is not None and name is not None and (sound := phonetic(name)):
        found["PHONETIC_NAME_BIRTH_YEAR"] = f"{sound}|{one.born.year}"
    if one.phone is not None:
        found["PHONE"] = one.phone
    if one.born is not None and one.gender is not None:
        found["BIRTH_DATE_GENDER"] = f"{one.born.isoformat()}|{one.gender}"
    return found


def likeness(one: Compared, other: Compared) -> Likeness:
    """Compare two people. The same both ways round."""
    shared = [language for language in one.names if language in other.names]
    name = max((name_likeness(one.names[language], other.names[language]) for language in shared), default=0.0)
    born = _birth(one.born, other.born)
    gender = one.gender is not None and one.gender == other.gender
    phone = one.phone is not None and one.phone == other.phone
    points = NAME_POINTS * name + BIRTH_POINTS * BIRTH_SHARE[born] + GENDER_POINTS * gender + PHONE_POINTS * phone
    return Likeness(round(points), round(100 * name), born, gender, phone)


def name_likeness(one: str, other: str) -> float:
    """0 to 1: each word of the longer name with the best of the other's that is left, whatever their order."""
    mine, theirs = sorted((tokens(one), tokens(other)), key=lambda words: (-len(words), words))
    if not mine or not theirs:
        return 0.0
    pairs = sorted(((jaro_winkler(a, b), i, j) for i, a in enumerate(mine) for j, b in enumerate(theirs)), key=lambda p: (-p[0], p[1:]))
    left, right, total = set(range(len(mine))), set(range(len(theirs))), 0.0
    for score, i, j in pairs:
        if i in left and j in right:
            left.remove(i)
            right.remove(j)
            total += score
    return total / len(mine)


def tokens(name: str) -> list[str]:
    """The words of a name without marks and case; letters of any script count."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name).casefold() if not unicodedata.combining(c))
    return sorted("".join(c if c.isalpha() else " " for c in plain).split())[:MAX_TOKENS]


def phonetic(name: str) -> str:
    """How a name sounds, its words in any order: the first letter of each with up to three sounds."""
    return " ".join(sorted(_sound(word) for word in tokens(name)))


def _sound(word: str) -> str:
    codes = [_SOUNDS.get(letter, "") for letter in word]
    said = [code for position, code in enumerate(codes) if code and (position == 0 or codes[position - 1] != code)]
    first = codes[0] if codes else ""
    rest = said[1:] if first and said and said[0] == first else said
    return word[:1] + "".join(rest[:3]).ljust(3, "0")


def _birth(one: date | None, other: date | None) -> BirthSays:
    if one is None or other is None:
        return "OTHER"
    if one == other:
        return "SAME"
    if one.year != other.year:
        return "OTHER"
    return "SWAPPED" if (one.month, one.day) == (other.day, other.month) else "SAME_YEAR"


def jaro_winkler(one: str, other: str) -> float:
    """0 to 1: letters in common at nearly the same places, with a bonus for a common beginning."""
    if one == other:
        return 1.0
    reach = max(max(len(one), len(other)) // 2 - 1, 0)
    taken = [False] * len(other)
    common: list[str] = []
    for place, letter in enumerate(one):
        for at in range(max(0, place - reach), min(len(other), place + reach + 1)):
            if not taken[at] and other[at] == letter:
                taken[at] = True
                common.append(letter)
                break
    if not common:
        return 0.0
    swapped = sum(a != b for a, b in zip(common, _taken(other, taken), strict=True)) / 2
    jaro = (len(common) / len(one) + len(common) / len(other) + (len(common) - swapped) / len(common)) / 3
    prefix = 0
    for a, b in zip(one[:PREFIX_LETTERS], other[:PREFIX_LETTERS], strict=False):
        if a != b:
            break
        prefix += 1
    return jaro + prefix * PREFIX_BONUS * (1 - jaro)


def _taken(word: str, taken: Sequence[bool]) -> list[str]:
    return [letter for letter, used in zip(word, taken, strict=True) if used]
