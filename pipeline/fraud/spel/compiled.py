"""A compiled expression, and the memory of those compiled lately."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from pipeline.fraud.spel.compiler import Builder, Run
from pipeline.fraud.spel.errors import MAX_CHARACTERS, SpelError
from pipeline.fraud.spel.parser import parse
from pipeline.fraud.spel.values import Frame, plain

REMEMBERED: Final = 512  # expressions: some rule versions of forty rules, for every tenant with rules of its own
SHORT: Final = 600  # characters; closures take some 150 bytes a character, 45 MB if all that are remembered were this long
REMEMBERED_LONG: Final = 64  # of those longer than that


class Compiled:
    """One expression, ready. Holds nothing of any evaluation; may be used from several threads."""

    __slots__ = ("_run", "names", "root_names", "text")

    def __init__(self, text: str, run: Run, names: frozenset[str], root_names: frozenset[str]) -> None:
        self.text, self._run = text, run
        self.names = names  # variables, without #
        self.root_names = root_names  # names read from the root

    def evaluate(self, variables: Mapping[str, Any], root: Any = None) -> Any:
        """The value for these variables, in plain Python. SpelError when it has none; nothing given is changed."""
        try:
            return plain(self._run(Frame(variables, root)))
        except (ArithmeticError, RecursionError) as error:
            raise SpelError("LIMIT", f"numbers or data beyond what can be computed: {type(error).__name__}") from error


def compile(expression: str) -> Compiled:  # noqa: A001 - its name in the contract of this room
    """The expression, read once and remembered. SpelError when it is none or asks for what is refused."""
    if not isinstance(expression, str):
        raise SpelError("SYNTAX", "an expression is a text")
    if len(expression) > MAX_CHARACTERS:  # before it becomes a key of the memory
        raise SpelError("LIMIT", f"an expression has at most {MAX_CHARACTERS} characters")
    try:
        return _short(expression) if len(expression) <= SHORT else _long(expression)
    except RecursionError as error:
        raise SpelError("LIMIT", "no room left to read it: the caller is too deep (RecursionError)") from error


def _compiled(expression: str) -> Compiled:
    builder = Builder()
    run = builder.build(parse(expression))
    return Compiled(expression, run, frozenset(builder.variables), frozenset(builder.root_names))


_short = lru_cache(REMEMBERED)(_compiled)
_long = lru_cache(REMEMBERED_LONG)(_compiled)


def evaluate(expression: str, variables: Mapping[str, Any], root: Any = None) -> Any:
    """The value of an expression: `#name` from the variables, bare names from the root. SpelError when it has none."""
    return compile(expression).evaluate(variables, root)
