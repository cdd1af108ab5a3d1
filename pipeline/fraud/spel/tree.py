"""What an expression is made of, after reading it. Chains (`a + b + c`, `a.b[c]`, `a and b`) are one node: depth is nesting only."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Node:
    """`at`: where in the text it begins, from 0."""

    at: int


@dataclass(frozen=True, slots=True)
class Literal(Node):
    value: Any


@dataclass(frozen=True, slots=True)
class Variable(Node):
    """`#name`; `#root` and `#this` have their own meaning."""

    name: str


@dataclass(frozen=True, slots=True)
class Property(Node):
    """`name` of what stands before it, or of the scope at the beginning of a chain."""

    name: str
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`name(arguments)` of what stands before it; at the beginning of a chain a function, else a method of the scope."""

    name: str
    arguments: tuple[Node, ...]
    safe: bool = False


@dataclass(frozen=True, slots=True)
class StaticCall(Node):
    """`T(type).name(arguments)`, or with `arguments` None a constant of the type."""

    type_name: str
    name: str
    arguments: tuple[Node, ...] | None


@dataclass(frozen=True, slots=True)
class Index(Node):
    key: Node
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Select(Node):
    """`?[…]` all, `^[…]` the first, `$[…]` the last of those for which the criterion holds."""

    which: str
    criterion: Node
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Project(Node):
    body: Node
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Chain(Node):
    """The first part, and what is asked of it one after the other."""

    first: Node
    rest: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class ListOf(Node):
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class MapOf(Node):
    entries: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """`-`, `+` or `!`."""

    operator: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Arithmetic(Node):
    """The first operand, then operator and operand, from left to right."""

    first: Node
    rest: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class Compare(Node):
    """`==`, `!=`, `<`, `<=`, `>`, `>=`, `matches` or `between`."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Logic(Node):
    """`and` or `or` of two or more."""

    operator: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Ternary(Node):
    condition: Node
    yes: Node
    no: Node


@dataclass(frozen=True, slots=True)
class Elvis(Node):
    value: Node
    otherwise: Node
