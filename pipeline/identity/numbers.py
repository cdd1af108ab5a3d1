"""Identity numbers: UIN, VID and handle. How they are made so that none can be guessed, and how they are stored: as a salted
keyed hash by which they are found, beside the sealed number.

A number's hash is salted with one of a thousand salts, chosen by the number itself: equal numbers of two states have different
hashes, and a stolen table gives no hash to try numbers against without the keyring.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from itertools import pairwise
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import text

from pipeline.database.engine import Database
from pipeline.masterdata.identity_models import IdentifierKind, NumberRule
from pipeline.runtime import Runtime

Kind = IdentifierKind

UIN_DIGITS, VID_DIGITS = 10, 16
BUCKETS = 1000  # as idrepo.salt has them
SALT_BYTES = 16
TRIES = 10_000  # one in three candidates passes the filters; so many misses in a row are a rule that forbids every number
LONGEST_RUN = 3  # digits that count up or down, or repeat: 123 and 777 are remembered and guessed
REPEATED_BLOCK = 2  # the same pair of digits twice in a row, as in 4747, makes a pattern

_ADD_SALTS = text("""
    INSERT INTO idrepo.salt (bucket, salt)
    SELECT v.bucket, decode(v.salt, 'hex') FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(bucket int, salt text)
    ON CONFLICT (bucket) DO NOTHING
""")
_SALTS = text("SELECT salt FROM idrepo.salt ORDER BY bucket")

# Verhoeff's check digit: multiplication in the dihedral group of the pentagon, and the permutation by position
_TIMES = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8),
    (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2),
    (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
_SHIFT = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
_INVERSE = (0, 4, 3, 2, 1, 5, 6, 7, 8, 9)

_salts: "WeakKeyDictionary[Database, tuple[bytes, ...]]" = WeakKeyDictionary()


class Numbers:
    """Hashes and seals of one installation. Threads share it; the salts are read once for each database."""

    def __init__(self, rt: Runtime) -> None:
        self._rt = rt

    def prepare(self) -> None:
        """Read or make the salts now, so that no transaction that is open waits for another connection. Commits."""
        self._all_salts()

    def hash(self, state_id: str, kind: Kind, value: str) -> str:
        """64 upper-case hex digits under which a number is found in its state. An installation's first call makes the salts; it commits."""
        plain = normalised(kind, value)
        key = self._rt.keyring.lookup_key("lookup|idrepo.identifier")
        bucket = int.from_bytes(hmac.digest(key, f"bucket|{plain}".encode(), "sha256")[:8], "big") % BUCKETS
        salt = self._all_salts()[bucket]
        return hmac.new(key, b"|".join((salt, state_id.encode(), kind.encode(), plain.encode())), hashlib.sha256).hexdigest().upper()

    def token(self, identity_id: UUID, scope: str) -> str:
        """How a partner knows a person, 36 digits: the same for each of the person's numbers, another for every `Partner.token_scope`."""
        key = self._rt.keyring.lookup_key("lookup|idrepo.token")
        return str(int.from_bytes(hmac.digest(key, f"{scope}|{identity_id}".encode(), "sha256"), "big") % 10**36).zfill(36)

    def seal(self, identifier_id: UUID, value: str) -> str:
        """The number as idrepo.identifier keeps it."""
        return self._rt.vault.seal("idrepo.identifier", str(identifier_id), value.encode())

    def open(self, identifier_id: UUID, sealed: str) -> str:
        """The number in clear. Raises SDCRS_DECRYPT_FAILED."""
        return self._rt.vault.unseal("idrepo.identifier", str(identifier_id), sealed).decode()

    def _all_salts(self) -> tuple[bytes, ...]:
        known = _salts.get(self._rt.database)
        if known is None:
            with self._rt.database.worker() as conn:
                found = tuple(bytes(salt) for salt in conn.execute(_SALTS).scalars())
                if len(found) < BUCKETS:
                    rows = [{"bucket": bucket, "salt": secrets.token_hex(SALT_BYTES)} for bucket in range(BUCKETS)]
                    conn.execute(_ADD_SALTS, {"rows": json.dumps(rows)})  # of two processes the first one's stand
                    found = tuple(bytes(salt) for salt in conn.execute(_SALTS).scalars())
            known = _salts[self._rt.database] = found
        return known


def kind_of(value: str) -> Kind:
    """What a number is by its looks: ten digits a UIN, sixteen a VID, anything else a handle."""
    plain = "".join(value.split())
    if plain.isascii() and plain.isdigit():
        if len(plain) == UIN_DIGITS:
            return "UIN"
        if len(plain) == VID_DIGITS:
            return "VID"
    return "HANDLE"


def normalised(kind: Kind, value: str) -> str:
    """One spelling per number: people write blanks into digits, and handles in either case."""
    plain = "".join(value.split())
    return plain.casefold() if kind == "HANDLE" else plain


def make_uin(rule: NumberRule, digit: Callable[[int], int] = secrets.randbelow) -> str:
    """Ten digits with a Verhoeff check digit that follow no pattern. `digit(n)`: a random number below n. Raises ValueError when the
    rules leave none."""
    return _make(UIN_DIGITS, rule, digit)


def make_vid(rule: NumberRule, digit: Callable[[int], int] = secrets.randbelow) -> str:
    """Sixteen digits, made like a UIN."""
    return _make(VID_DIGITS, rule, digit)


def _make(length: int, rule: NumberRule, digit: Callable[[int], int]) -> str:
    for _ in range(TRIES):
        body = str(2 + digit(8)) + "".join(str(digit(10)) for _ in range(length - 2))
        number = body + check_digit(body)
        if flaw(number, rule) is None:
            return number
    raise ValueError("the rules of numbers leave none to be given")


def flaw(number: str, rule: NumberRule) -> str | None:
    """What makes a number one that is not given out; None: nothing does."""
    half = len(number) // 2
    first, second = number[:half], number[half:]
    steps = [int(b) - int(a) for a, b in pairwise(number)]
    runs = zip(*(steps[start:] for start in range(LONGEST_RUN - 1)), strict=False)
    blocks = (number[at : at + REPEATED_BLOCK] == number[at + REPEATED_BLOCK : at + 2 * REPEATED_BLOCK] for at in range(len(number)))
    flaws = {
        "begins with 0 or 1": number[0] in "01",
        "its check digit is wrong": not is_checked(number),
        "digits repeat or count up or down": any(len(set(run)) == 1 and run[0] in (-1, 0, 1) for run in runs),
        "a block of digits repeats": any(blocks),
        "its halves are alike": first == second or first == second[::-1],
        "a half reads the same backwards": first == first[::-1] or second == second[::-1],
        "it holds a blocked sequence": any(blocked in number for blocked in rule.blocked_sequences),
    }
    return next((name for name, holds in flaws.items() if holds), None)


def check_digit(digits: str) -> str:
    """The Verhoeff digit to be appended: finds every single wrong digit and every swap of neighbours."""
    total = 0
    for position, character in enumerate(reversed(digits), start=1):
        total = _TIMES[total][_permuted(int(character), position)]
    return str(_INVERSE[total])


def is_checked(number: str) -> bool:
    """Whether the last digit is the check digit of the others."""
    return len(number) > 1 and number.isascii() and number.isdigit() and check_digit(number[:-1]) == number[-1]


def _permuted(value: int, times: int) -> int:
    for _ in range(times % 8):  # the permutation has order eight
        value = _SHIFT[value]
    return value
