"""Field types that the bodies share: bounded, trimmed, and free of characters that no screen or database should meet."""

import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

OLDEST_MS = 946_684_800_000  # 2000-01-01: seconds sent as milliseconds fall before it
NEWEST_MS = 4_102_444_800_000  # 2100-01-01: microseconds sent as milliseconds fall after it
MAX_PAGE = 100  # rows of one page: about what a screen shows, and an answer of half a megabyte
DEFAULT_PAGE = 20  # as in the packets
MAX_OFFSET = 10_000  # each skipped row is read; who needs more narrows by date

_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # they make a text read otherwise than it is
_BREAKS = frozenset("\n\r\t")


def _one_line(value: str) -> str:
    return _clean(value, frozenset())


def _with_breaks(value: str) -> str:
    return _clean(value, _BREAKS)


def _clean(value: str, allowed: frozenset[str]) -> str:
    if any(character in _BIDI or (unicodedata.category(character) == "Cc" and character not in allowed) for character in value):
        raise ValueError("contains a control character")
    return value


ONE_LINE = AfterValidator(_one_line)
WITH_BREAKS = AfterValidator(_with_breaks)

# One line, trimmed; the number is the longest that fits
Line64 = Annotated[str, StringConstraints(strip_whitespace=True, max_length=64), ONE_LINE]
Line128 = Annotated[str, StringConstraints(strip_whitespace=True, max_length=128), ONE_LINE]
Line256 = Annotated[str, StringConstraints(strip_whitespace=True, max_length=256), ONE_LINE]
Line512 = Annotated[str, StringConstraints(strip_whitespace=True, max_length=512), ONE_LINE]
FileName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255), ONE_LINE]  # what file systems allow
Description = Annotated[str, StringConstraints(strip_whitespace=True, min_length=20, max_length=512), WITH_BREAKS]  # packet 02/04
Remarks = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000), WITH_BREAKS]  # the history keeps as much
Token = Annotated[str, StringConstraints(min_length=1, max_length=4096), ONE_LINE]  # a proxy's usual limit for one header

Id = Annotated[str, StringConstraints(min_length=1, max_length=128), ONE_LINE]  # opaque: ours are UUIDs, other systems' are not
TenantId = Annotated[str, StringConstraints(max_length=64, pattern=r"^[a-z][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)*$")]
Code = Annotated[str, StringConstraints(max_length=64, pattern=r"^[A-Z][A-Z0-9_]*$")]  # states, actions, reasons, roles
TypeCode = Annotated[str, StringConstraints(max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]  # report types
PlaceCode = Annotated[str, StringConstraints(max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]  # wards, localities, districts
Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]
Millis = Annotated[int, Field(ge=OLDEST_MS, le=NEWEST_MS)]  # epoch milliseconds
Rupees = Annotated[int, Field(ge=1, le=100_000)]  # whole rupees; the provider's limit for one UPI payment
PageOffset = Annotated[int, Field(ge=0, le=MAX_OFFSET)]
PageLimit = Annotated[int, Field(ge=1, le=MAX_PAGE)]
SortOrder = Literal["ASC", "DESC"]
