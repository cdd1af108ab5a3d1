"""Regular expressions for `matches` and the methods of texts: RE2, whose time grows with the text and never with the pattern's cunning.

Java's patterns and RE2's are the same language in what rules write. Where RE2 would read a pattern differently it is refused.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import re2  # type: ignore[import-untyped]

from pipeline.fraud.spel.errors import MAX_TEXT, SpelError
from pipeline.fraud.spel.operators import bounded
from pipeline.fraud.spel.values import Frame

MAX_PATTERN: Final = 250  # characters
MAX_PROGRAM: Final = 2_000  # instructions; `(a{1,100}){1,9}` has 1,821
MEMORY: Final = 1 << 20  # bytes of one pattern; 64 of them stay below what a process notices
CACHED: Final = 64
WORK_PER_STEP: Final = 100  # instructions times characters; a million of them take up to 20 ms
STEPS_PER_FIND: Final = 20
_MEANING: Final = re.compile(r"[\\^$.|?*+()\[\]{}]")
_OTHER_MEANING: Final = re.compile(r"\\[vZR]|\{(?!\d)")  # after \\ and classes are taken out


class Pattern:
    """A compiled pattern and what it costs."""

    __slots__ = ("compiled", "program")

    def __init__(self, source: str) -> None:
        if len(source) > MAX_PATTERN:
            raise SpelError("LIMIT", f"a pattern has at most {MAX_PATTERN} characters")
        _refuse_other_meanings(source)
        options = re2.Options()
        options.max_mem, options.log_errors = MEMORY, False
        try:
            self.compiled: Any = re2.compile(source, options)
        except (re2.error, UnicodeError) as error:
            raise SpelError(
                "VALUE", f"the pattern {source!r} is not valid, or uses what is not supported here (look-around, \\1)"
            ) from error
        self.program: int = self.compiled.programsize
        if self.program > MAX_PROGRAM:
            raise SpelError("LIMIT", f"the pattern {source!r} is too large once its repetitions are written out")


_compiled = lru_cache(CACHED)(Pattern)


def pattern(source: str, subject: str, frame: Frame) -> Any:
    """The pattern, once its work on this subject is charged. SpelError for a pattern that is no pattern."""
    before = _compiled.cache_info().misses
    found = _compiled(source)
    fresh = found.program // 4 if _compiled.cache_info().misses != before else 0  # making it is work too
    frame.charge(1 + fresh + found.program * len(subject) // WORK_PER_STEP)
    return found.compiled


def matches(subject: str, source: str, frame: Frame) -> bool:
    """Whether the whole subject is of the pattern."""
    try:
        return pattern(source, subject, frame).fullmatch(subject) is not None
    except UnicodeError as error:
        raise SpelError("VALUE", "half a character in a text") from error


def _found(subject: str, source: str, frame: Frame) -> Iterator[Any]:
    """Every place where the pattern is found, each charged: about 10 microseconds, and more in a long text."""
    try:
        for found in pattern(source, subject, frame).finditer(subject):
            frame.charge(STEPS_PER_FIND + len(subject) // WORK_PER_STEP)
            yield found
    except UnicodeError as error:
        raise SpelError("VALUE", "half a character in a text") from error


def split(subject: str, source: str, limit: int, frame: Frame) -> list[str]:
    """Java's split: without a limit (0) empty parts at the end go, and an empty match at the beginning makes no part."""
    if not subject:
        return [""]
    if not limit and not _MEANING.search(source):
        return _split_plainly(subject, source, frame)
    parts: list[str] = []
    begin = 0
    for found in _found(subject, source, frame):
        if 0 < limit <= len(parts) + 1:
            break
        start, end = found.span()
        if end == 0 or (start == end == len(subject)):
            continue
        parts.append(subject[begin:start])
        begin = end
    parts.append(subject[begin:])
    while limit == 0 and len(parts) > 1 and not parts[-1]:
        parts.pop()
    return [] if limit == 0 and parts == [""] and begin else parts


def _split_plainly(subject: str, separator: str, frame: Frame) -> list[str]:
    """Split at a text in which nothing is a pattern, or with an empty one into characters."""
    frame.charge(1 + len(subject) // WORK_PER_STEP)
    parts = subject.split(separator) if separator else list(subject)
    frame.charge(len(parts))
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return [] if parts == [""] else parts


def replace(subject: str, source: str, replacement: str, first_only: bool, frame: Frame) -> str:
    """Java's replaceAll and replaceFirst: `$1` is a group, a backslash takes the next character as it is."""
    made, begin, size = [], 0, 0
    for found in _found(subject, source, frame):
        start, end = found.span()
        piece = subject[begin:start] + _expanded(replacement, found)
        size += len(piece)
        if size > MAX_TEXT:
            raise SpelError("LIMIT", f"a text of more than {MAX_TEXT} characters")
        made.append(piece)
        begin = end
        if first_only:
            break
    return bounded("".join(made) + subject[begin:])


def _expanded(replacement: str, found: Any) -> str:
    made, at = [], 0
    while at < len(replacement):
        character = replacement[at]
        if character in "\\$" and at + 1 == len(replacement):
            raise SpelError("VALUE", f"{character} at the end of a replacement")
        if character == "\\":
            at += 1
            made.append(replacement[at])
        elif character == "$":
            at += 1
            number = replacement[at]
            if number not in "0123456789" or int(number) > found.re.groups:
                raise SpelError("VALUE", f"${number} is no group of the pattern")
            made.append(found.group(int(number)) or "")
        else:
            made.append(character)
        at += 1
    return "".join(made)


def _refuse_other_meanings(source: str) -> None:
    """SpelError for what Java and RE2 both accept and read differently."""
    bare = re.sub(r"\\[^vZRQEpP]", "", source)  # escaped characters mean the same in both
    bare = re.sub(r"\\[pP]\{\w*\}", "", bare)
    classes = re.findall(r"\[\^?\]?[^\]]*\]", bare)
    if any("[" in inside[1:] or "&&" in inside for inside in classes):
        raise SpelError("REFUSED", f"classes within classes and && are not supported in the pattern {source!r}")
    if _OTHER_MEANING.search(re.sub(r"\[\^?\]?[^\]]*\]", "", bare)):
        raise SpelError("REFUSED", f"\\v, \\Z, \\R and a brace without a number are not supported in the pattern {source!r}")
