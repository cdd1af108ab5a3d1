"""From text to tokens, as Spring's tokenizer does it. Knows characters and numbers, no grammar."""

import re
from dataclasses import dataclass
from typing import Any

from pipeline.fraud.spel.errors import INT_MAX, MAX_CHARACTERS, SpelError
from pipeline.fraud.spel.values import Float, Long

# Longest first: `?[` opens a selection before `?` asks a question.
TWO_CHARACTERS = ("++", "--", "&&", "||", "==", "!=", "<=", ">=", "?[", "?:", "?.", "![", "^[", "$[")
SYMBOLS = (*TWO_CHARACTERS, *"+-*/%()[]{}.,:#@^!=&?<>")
TEXTUAL = {"div": "/", "mod": "%", "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "not": "!"}
LONG_MAX = 2**63 - 1  # a literal beyond this is no Java number at all

_SPACE = re.compile(r"[ \t\r\n]*")
_WORD = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_TEXT = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")
_HEX = re.compile(r"0[xX]([0-9a-fA-F]+)([lL]?)")
_NUMBER = re.compile(r"(\d+)(\.\d+)?(?:([lL])|([eE][+-]?\d+)?([fFdD])?)")


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is a symbol of SYMBOLS, or word, literal or end. A textual operator has its symbol as kind and its text as value."""

    kind: str
    value: Any
    at: int


def tokenize(text: str) -> list[Token]:
    """The tokens of a text with an `end` token behind them. SpelError for what no token begins with."""
    if len(text) > MAX_CHARACTERS:
        raise SpelError("LIMIT", f"an expression has at most {MAX_CHARACTERS} characters")
    tokens: list[Token] = []
    at = _skip(text, 0)
    while at < len(text):
        token, end = _next(text, at)
        tokens.append(token)
        at = _skip(text, end)
    tokens.append(Token("end", "", len(text)))
    return tokens


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _next(text: str, at: int) -> tuple[Token, int]:
    character = text[at]
    if word := _WORD.match(text, at):
        if character == "$" and text.startswith("$[", at):
            return Token("$[", "", at), at + 2
        return Token(TEXTUAL.get(word[0].lower(), "word"), word[0], at), word.end()
    if character in "'\"":
        quoted = _TEXT.match(text, at)
        if quoted is None:
            raise SpelError("SYNTAX", "a text without its closing quote", at)
        return Token("literal", quoted[0][1:-1].replace("''", "'").replace('""', '"'), at), quoted.end()
    if character.isascii() and character.isdigit():
        return _number(text, at)
    for symbol in SYMBOLS:
        if text.startswith(symbol, at):
            return Token(symbol, "", at), at + len(symbol)
    raise SpelError("SYNTAX", f"{character!r} begins nothing", at)


def _number(text: str, at: int) -> tuple[Token, int]:
    if found := _HEX.match(text, at):
        return Token("literal", _whole(found[1], 16, bool(found[2]), at), at), found.end()
    found = _NUMBER.match(text, at)
    if found is None:
        raise SpelError("SYNTAX", "not a number", at)
    whole, fraction, long, exponent, kind = found.groups()
    if fraction and long:
        raise SpelError("SYNTAX", "a number with a fraction cannot end in L", at)
    if not (fraction or exponent or kind):
        return Token("literal", _whole(whole, 10, bool(long), at), at), found.end()
    value = float(whole + (fraction or "") + (exponent or ""))
    return Token("literal", Float(value) if kind in {"f", "F"} else value, at), found.end()


def _whole(digits: str, base: int, long: bool, at: int) -> int:
    if len(digits.lstrip("0")) > 19:  # the longest long; also keeps int() away from thousands of digits
        raise SpelError("SYNTAX", "a whole number that is too large", at)
    value = int(digits, base)
    if value > (LONG_MAX if long else INT_MAX):
        raise SpelError("SYNTAX", f"{digits} is too large; up to {INT_MAX}, or up to {LONG_MAX} with L behind it", at)
    return Long(value) if long else value
