"""From tokens to a tree: Spring's grammar, less what the programme refuses. Every refusal says what it refuses and where."""

from collections.abc import Callable

from pipeline.fraud.spel.errors import MAX_DEPTH, SpelError
from pipeline.fraud.spel.tokens import TEXTUAL, Token, tokenize
from pipeline.fraud.spel.tree import (
    Arithmetic,
    Call,
    Chain,
    Compare,
    Elvis,
    Index,
    ListOf,
    Literal,
    Logic,
    MapOf,
    Node,
    Project,
    Property,
    Select,
    StaticCall,
    Ternary,
    Unary,
    Variable,
)
from pipeline.fraud.spel.types import TYPES

RELATIONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
RELATION_WORDS = frozenset({"matches", "between"})
REFUSED = {
    "=": "assignment",
    "++": "counting up",
    "--": "counting down (write - - with a space for two minus signs)",
    "@": "beans",
    "&": "beans (write && for and)",
}


def parse(text: str) -> Node:
    """The tree of an expression. SpelError with the place for a text that is none, or that asks for what is refused."""
    reader = _Reader(tokenize(text))
    tree = reader.expression()
    reader.end()
    return tree


class _Reader:
    """The tokens and where in them we are."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens, self._next, self._depth = tokens, 0, 0

    def end(self) -> None:
        """Nothing may follow."""
        token = self._token
        self._refuse(token)
        if token.kind != "end":
            raise SpelError("SYNTAX", f"{_shown(token)} does not continue the expression before it", token.at)

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._tokens[self._next]
        if token.kind != "end":
            self._next += 1
        return token

    def _if(self, *kinds: str) -> Token | None:
        return self._take() if self._token.kind in kinds else None

    def _expect(self, kind: str) -> Token:
        token = self._take()
        if token.kind != kind:
            raise SpelError("SYNTAX", f"{kind} was expected, not {_shown(token)}", token.at)
        return token

    def _word(self) -> Token | None:
        """A name; the textual operators are names where a name stands, as in Spring."""
        token = self._token
        return self._take() if token.kind == "word" or (token.kind in TEXTUAL.values() and token.value) else None

    def _word_is(self, *words: str) -> bool:
        return self._token.kind == "word" and self._token.value.lower() in words

    def _refuse(self, token: Token) -> None:
        if token.kind in REFUSED:
            raise SpelError("REFUSED", f"{REFUSED[token.kind]} is not allowed", token.at)
        if token.kind == "word" and token.value.lower() == "instanceof":
            raise SpelError("REFUSED", "instanceof is not allowed", token.at)

    def _deeper(self, at: int) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise SpelError("LIMIT", f"nested deeper than {MAX_DEPTH}", at)

    def expression(self) -> Node:
        """logic [ '?:' expression | '?' expression ':' expression ]"""
        at = self._token.at
        self._deeper(at)
        left = self._logic("||", "or", self._conjunction)
        if self._if("?:"):
            left = Elvis(at, left, self.expression())
        elif self._if("?"):
            yes = self.expression()
            self._expect(":")
            left = Ternary(at, left, yes, self.expression())
        self._depth -= 1
        return left

    def _conjunction(self) -> Node:
        return self._logic("&&", "and", self._relation)

    def _logic(self, symbol: str, word: str, operand: Callable[[], Node]) -> Node:
        at, operands = self._token.at, [operand()]
        while self._token.kind == symbol or self._word_is(word):
            self._take()
            operands.append(operand())
        return operands[0] if len(operands) == 1 else Logic(at, word, tuple(operands))

    def _relation(self) -> Node:
        at, left = self._token.at, self._sum()
        token = self._token
        if token.kind in RELATIONS:
            self._take()
            return Compare(at, token.kind, left, self._sum())
        if self._word_is(*RELATION_WORDS):
            self._take()
            return Compare(at, token.value.lower(), left, self._sum())
        self._refuse(token)
        return left

    def _sum(self) -> Node:
        return self._arithmetic(("+", "-"), self._product)

    def _product(self) -> Node:
        return self._arithmetic(("*", "/", "%"), self._power)

    def _arithmetic(self, symbols: tuple[str, ...], operand: Callable[[], Node]) -> Node:
        at, first, rest = self._token.at, operand(), []
        while token := self._if(*symbols):
            rest.append((token.kind, operand()))
        return Arithmetic(at, first, tuple(rest)) if rest else first

    def _power(self) -> Node:
        at, base = self._token.at, self._unary()
        return Arithmetic(at, base, (("^", self._unary()),)) if self._if("^") else base

    def _unary(self) -> Node:
        token = self._token
        self._refuse(token)
        if token.kind not in {"+", "-", "!"}:
            return self._chain()
        self._take()
        self._deeper(token.at)
        node = Unary(token.at, token.kind, self._unary())
        self._depth -= 1
        return node

    def _chain(self) -> Node:
        at, first, rest = self._token.at, self._first(), []
        while (part := self._part()) is not None:
            rest.append(part)
        return Chain(at, first, tuple(rest)) if rest else first

    def _part(self) -> Node | None:
        """What follows a value: `.name`, `?.name`, `.name(…)`, `.?[…]`, `.![…]`, `[…]`, `?.[…]`."""
        token = self._token
        if token.kind == "[":
            return self._index(False)
        if not self._if(".", "?."):
            return None
        safe = token.kind == "?."
        if self._token.kind == "[" and safe:
            return self._index(True)
        part = self._named(safe) or self._variable() or self._looped(safe)
        if part is None:
            raise SpelError("SYNTAX", f"{_shown(self._token)} cannot follow {token.kind}", self._token.at)
        return part

    def _first(self) -> Node:
        token = self._token
        if self._if("literal"):
            return Literal(token.at, token.value)
        if self._word_is("true", "false", "null"):
            self._take()
            return Literal(token.at, {"true": True, "false": False, "null": None}[token.value.lower()])
        if self._if("("):
            inside = self.expression()
            self._expect(")")
            return inside
        if self._if("{"):
            return self._braces(token.at)
        if token.kind == "[":
            return self._index(False)
        if token.kind == "word" and token.value == "T" and self._tokens[self._next + 1].kind != "]":
            return self._static()
        if self._word_is("new") and self._tokens[self._next + 1].kind == "word":
            raise SpelError("REFUSED", "new is not allowed", token.at)
        found = self._named(False) or self._variable() or self._looped(False)
        if found is None:
            self._refuse(token)
            if "?:" in {token.kind, self._tokens[self._next - 1].kind}:
                raise SpelError("REFUSED", "?: needs a value on either side", token.at)
            raise SpelError("SYNTAX", f"a value was expected, not {_shown(token)}", token.at)
        return found

    def _named(self, safe: bool) -> Node | None:
        word = self._word()
        if word is None:
            return None
        if self._token.kind != "(":
            return Property(word.at, word.value, safe)
        return Call(word.at, word.value, self._arguments(), safe)

    def _arguments(self) -> tuple[Node, ...]:
        self._expect("(")
        found: list[Node] = []
        while self._token.kind != ")":
            found.append(self.expression())
            if not self._if(","):  # a comma before the bracket is Spring's to allow
                break
        self._expect(")")
        return tuple(found)

    def _variable(self) -> Node | None:
        hash_sign = self._if("#")
        if hash_sign is None:
            return None
        word = self._if("word")
        if word is None:
            raise SpelError("SYNTAX", "a name was expected behind #", self._token.at)
        if self._token.kind == "(":
            raise SpelError("REFUSED", f"there is no function #{word.value}", word.at)
        return Variable(hash_sign.at, word.value)

    def _looped(self, safe: bool) -> Node | None:
        token = self._if("?[", "^[", "$[", "![")
        if token is None:
            return None
        body = self.expression()
        self._expect("]")
        return Project(token.at, body, safe) if token.kind == "![" else Select(token.at, token.kind[0], body, safe)

    def _index(self, safe: bool) -> Node:
        at = self._expect("[").at
        key = self.expression()
        self._expect("]")
        return Index(at, key, safe)

    def _braces(self, at: int) -> Node:
        if self._if("}"):
            return ListOf(at, ())
        if self._if(":"):
            self._expect("}")
            return MapOf(at, ())
        first = self.expression()
        if not self._if(":"):
            items = [first]
            while self._if(","):
                items.append(self.expression())
            self._expect("}")
            return ListOf(at, tuple(items))
        entries = [(_map_key(first), self.expression())]
        while self._if(","):
            stored = _map_key(self.expression())
            self._expect(":")
            entries.append((stored, self.expression()))
        self._expect("}")
        return MapOf(at, tuple(entries))

    def _static(self) -> Node:
        at = self._take().at
        self._expect("(")
        words = []
        while word := self._word():
            words.append(word.value)
            if not self._if("."):
                break
        self._expect(")")
        name = ".".join(words)
        if name not in TYPES:
            raise SpelError("REFUSED", f"T({name}) is not allowed; T(java.lang.Math) and T(java.time.LocalTime) are", at)
        if not self._if("."):
            raise SpelError("REFUSED", f"T({name}) itself is no value; a method of it is asked for", at)
        member = self._word()
        if member is None:
            raise SpelError("SYNTAX", f"a name was expected behind T({name}).", self._token.at)
        called = self._token.kind == "("
        known = TYPES[name].methods if called else TYPES[name].constants
        if member.value not in known:
            raise SpelError(
                "REFUSED", f"T({name}) has no {member.value} here; it has {', '.join(sorted(known)) or 'methods only'}", member.at
            )
        return StaticCall(at, name, member.value, self._arguments() if called else None)


def _map_key(node: Node) -> Node:
    """A bare name as the key of a map is its own text."""
    return Literal(node.at, node.name) if isinstance(node, Property) else node


def _shown(token: Token) -> str:
    if token.kind == "end":
        return "the end"
    return repr(str(token.value)) if token.kind in {"word", "literal"} else token.value or token.kind
