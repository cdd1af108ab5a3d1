"""What is wrong with an expression before it runs: for the rule editor, which saves nothing that has a problem.

A schema says what a value is: `any`, `number`, `text`, `bool`, `time`, a dictionary of fields (with `*` for all others) for a map, or a
list of one schema for a list. Any value may also be null. The check never evaluates anything.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipeline.fraud.spel.compiled import compile as compiled
from pipeline.fraud.spel.errors import SpelError
from pipeline.fraud.spel.methods import METHODS, PROPERTIES
from pipeline.fraud.spel.overloads import Form
from pipeline.fraud.spel.parser import parse
from pipeline.fraud.spel.regex import Pattern
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
from pipeline.fraud.spel.types import FUNCTIONS, TYPES
from pipeline.fraud.spel.values import NUMBERS, kind

Schema = Any  # str, Mapping[str, Schema] or list[Schema]; recursive

ANY: Final = "any"
ENTRY: Final = {"key": ANY, "value": ANY}
SHOWN: Final = 12  # names in a message
# The kinds of values.py behind a simple schema: a number may be any of Java's
KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "number": ("int", "long", "double"),
    "text": ("text",),
    "bool": ("bool",),
    "time": ("time", "datetime", "date"),
    "list": ("list", "array", "collection"),
    "map": ("map", "entry"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """`at`: the character from 0 where the trouble begins."""

    at: int
    message: str


def check(expression: str, variables: Mapping[str, Schema], root: Schema = ANY) -> list[Problem]:
    """Everything that is surely wrong with a rule's expression, in the order of the text; empty for a good one.

    Found are: what is no expression or is refused, names that are not in the schemas, operands of the wrong kind, methods that do not
    exist, patterns that are none, and a result that is not yes or no. `root` None: there is none, bare names are wrong.
    """
    try:
        compiled(expression)
        checker = _Checker(variables, root)
        result = checker.of(parse(expression))
    except SpelError as error:
        return [Problem(error.at or 0, error.message)]
    if named(result) not in {"bool", ANY}:
        checker.problem(0, f"a rule asks yes or no, this is {_article(named(result))}")
    return sorted(checker.problems, key=lambda problem: problem.at)


def named(schema: Schema) -> str:
    """`number`, `text`, `bool`, `time`, `null`, `any`, `list` or `map`."""
    if isinstance(schema, str):
        return schema
    return "list" if isinstance(schema, list) else "map"


def _article(name: str) -> str:
    return {"any": "anything", "null": "nothing (null)", "bool": "yes or no"}.get(name, f"a {name}")


class _Checker:
    """Goes through the tree once; `_scope` is what bare names belong to."""

    def __init__(self, variables: Mapping[str, Schema], root: Schema) -> None:
        self._variables, self._root, self._scope = variables, root, root
        self.problems: list[Problem] = []
        self._looks: dict[type[Node], Callable[[Any], Schema]] = {
            Literal: self._literal,
            Variable: self._variable,
            Chain: self._chain,
            Property: self._first,
            Call: self._first,
            Index: self._first,
            Select: self._first,
            Project: self._first,
            Compare: self._compared,
            Logic: self._logic,
            Arithmetic: self._calculated,
            Unary: self._unary,
            Ternary: self._ternary,
            Elvis: self._elvis,
            ListOf: self._list,
            MapOf: self._map,
            StaticCall: self._static,
        }

    def problem(self, at: int, message: str) -> Schema:
        """Take a problem down; what is wrong may then be anything, so that it is told once."""
        self.problems.append(Problem(at, message))
        return ANY

    def of(self, node: Node) -> Schema:
        """The schema of a node's value."""
        return self._looks[type(node)](node)

    def _chain(self, node: Chain) -> Schema:
        schema = self.of(node.first)
        for part in node.rest:
            schema = self._part(part, schema)
        return schema

    def _first(self, node: Property | Call | Index | Select | Project) -> Schema:
        if isinstance(node, Call) and node.name in FUNCTIONS:
            return self._called(node.at, node.name, tuple(FUNCTIONS[node.name]), node.arguments)
        if self._scope is None:
            return self.problem(node.at, "there is nothing that a bare name belongs to; variables begin with #")
        return self._part(node, self._scope)

    def _list(self, node: ListOf) -> Schema:
        schemas = [self.of(item) for item in node.items]
        return [schemas[0]] if schemas and all(one == schemas[0] for one in schemas) else [ANY]

    def _map(self, node: MapOf) -> Schema:
        fields = {str(stored.value) if isinstance(stored, Literal) else "*": self.of(value) for stored, value in node.entries}
        return fields | {"*": ANY}

    def _ternary(self, node: Ternary) -> Schema:
        self._yes_or_no(node.condition)
        return self._either(node.at, self.of(node.yes), self.of(node.no))

    def _elvis(self, node: Elvis) -> Schema:
        return self._either(node.at, self.of(node.value), self.of(node.otherwise))

    def _unary(self, node: Unary) -> Schema:
        if node.operator == "!":
            self._yes_or_no(node.operand)
            return "bool"
        name = named(self.of(node.operand))
        if name not in {"number", ANY}:
            self.problem(node.operand.at, f"{node.operator} takes a number, this is {_article(name)}")
        return "number"

    def _logic(self, node: Logic) -> Schema:
        for operand in node.operands:
            self._yes_or_no(operand)
        return "bool"

    def _literal(self, node: Literal) -> Schema:
        name = kind(node.value)
        return "number" if name in NUMBERS else name

    def _variable(self, node: Variable) -> Schema:
        if node.name in {"root", "this"}:
            found = self._root if node.name == "root" else self._scope
            return ANY if found is None else found
        if node.name in self._variables:
            return self._variables[node.name]
        return self.problem(node.at, f"there is no variable #{node.name}; there are {self._names(self._variables)}")

    @staticmethod
    def _names(known: Mapping[str, Any]) -> str:
        names = sorted(name for name in known if name != "*")
        return ", ".join(names[:SHOWN]) + (" …" if len(names) > SHOWN else "") or "none"

    def _either(self, at: int, one: Schema, other: Schema) -> Schema:
        if other in (one, "null"):
            return one
        if one == "null":
            return other
        if ANY in {named(one), named(other)} or named(one) == named(other):
            return ANY
        return self.problem(at, f"this may be {_article(named(one))} or {_article(named(other))}; brackets may be missing")

    def _yes_or_no(self, node: Node) -> None:
        name = named(self.of(node))
        if name not in {"bool", ANY}:
            self.problem(node.at, f"yes or no is asked for here, this is {_article(name)}")

    def _part(self, part: Node, schema: Schema) -> Schema:
        if schema == "null" and not _is_safe(part):
            return self.problem(part.at, "this is always null")
        match part:
            case Property():
                return self._property(part, schema)
            case Call():
                return self._method(part, schema)
            case Index():
                return self._indexed(part, schema)
            case Select():
                return self._selected(part, schema)
            case Project():
                return [self._within(part.body, self._items(part.at, schema))]
            case _:
                return self.of(part)

    def _property(self, part: Property, schema: Schema) -> Schema:
        name = named(schema)
        if name in {ANY, "null"}:
            return schema
        if isinstance(schema, Mapping) and (part.name in schema or "*" in schema):
            return schema.get(part.name, schema.get("*"))
        forms = [PROPERTIES[one][part.name] for one in KINDS.get(name, ()) if part.name in PROPERTIES[one]]
        if forms:
            return forms[0].answer
        if isinstance(schema, Mapping):
            return self.problem(part.at, f"there is no field {part.name}; there are {self._names(schema)}")
        return self.problem(part.at, f"{_article(name)} has no {part.name}")

    def _method(self, part: Call, schema: Schema) -> Schema:
        name = named(schema)
        if name in {ANY, "null"}:
            for argument in part.arguments:
                self.of(argument)
            return ANY
        forms = [form for one in KINDS.get(name, ()) for form in METHODS[one].get(part.name, ())]
        if not forms:
            return self.problem(part.at, f"{_article(name)} has no method {part.name}()")
        answer = self._called(part.at, part.name, tuple(forms), part.arguments)
        if isinstance(schema, list) and part.name == "get":
            return self._items(part.at, schema)
        return [ANY] if answer == "list" else answer

    def _called(self, at: int, name: str, forms: tuple[Form, ...], arguments: tuple[Node, ...]) -> Schema:
        given = [named(self.of(argument)) for argument in arguments]
        fitting = [form for form in forms if len(form.parameters) == len(given)]
        if not fitting:
            return self.problem(at, f"{name}() does not take {len(given)} values")
        if all(any(_misfit(p, g) for p, g in zip(form.parameters, given, strict=True)) for form in fitting):
            return self.problem(at, f"{name}() does not take {', '.join(map(_article, given))}")
        return fitting[0].answer

    def _indexed(self, part: Index, schema: Schema) -> Schema:
        if isinstance(schema, Mapping):
            wanted = part.key.name if isinstance(part.key, Property) else part.key.value if isinstance(part.key, Literal) else None
            if not isinstance(wanted, str):
                self.of(part.key)
                return ANY
            if wanted in schema or "*" in schema:
                return schema.get(wanted, schema.get("*"))
            return self.problem(part.key.at, f"there is no field {wanted}; there are {self._names(schema)}")
        place = named(self.of(part.key))
        if schema in {ANY, "null"} if isinstance(schema, str) else False:
            return ANY
        if named(schema) not in {"list", "text"}:
            return self.problem(part.at, f"{_article(named(schema))} has no items")
        if place not in {"number", ANY}:
            self.problem(part.key.at, f"a place is a number from 0, this is {_article(place)}")
        return self._items(part.at, schema) if isinstance(schema, list) else "text"

    def _items(self, at: int, schema: Schema) -> Schema:
        if isinstance(schema, list):
            return schema[0] if schema else ANY
        if isinstance(schema, Mapping):
            return ENTRY
        return ANY if schema in {ANY, "null"} else self.problem(at, f"{_article(named(schema))} has no items")

    def _within(self, body: Node, items: Schema) -> Schema:
        outside, self._scope = self._scope, items
        found = self.of(body)
        self._scope = outside
        return found

    def _selected(self, part: Select, schema: Schema) -> Schema:
        items = self._items(part.at, schema)
        if named(self._within(part.criterion, items)) not in {"bool", ANY}:
            self.problem(part.criterion.at, "a selection asks yes or no")
        if isinstance(schema, Mapping):
            return {"*": ANY}
        return items if part.which in "^$" else [items]

    def _static(self, node: StaticCall) -> Schema:
        offered = TYPES[node.type_name]
        if node.arguments is None:
            return "number"
        return self._called(node.at, node.name, offered.methods[node.name], node.arguments)

    def _compared(self, node: Compare) -> Schema:
        left, right = named(self.of(node.left)), named(self.of(node.right))
        if node.operator == "matches":
            self._pattern(node, left, right)
        elif node.operator == "between":
            if not (isinstance(node.right, ListOf) and len(node.right.items) == 2) and right != ANY:
                self.problem(node.right.at, "between takes a list of two: value between {low, high}")
        elif (
            ANY in {left, right}
            or "null" in {left, right}
            or (left == right and (node.operator in {"==", "!="} or left not in {"list", "map"}))
        ):
            return "bool"
        elif node.operator in {"==", "!="}:
            self.problem(node.at, f"{_article(left)} and {_article(right)} are never equal")
        else:
            self.problem(node.at, f"{_article(left)} and {_article(right)} have no order")
        return "bool"

    def _pattern(self, node: Compare, left: str, right: str) -> None:
        if left in {"map", "time", "null"}:
            self.problem(node.left.at, f"matches takes a text, this is {_article(left)}")
        if right not in {"text", ANY}:
            self.problem(node.right.at, f"matches takes a pattern in quotes, this is {_article(right)}")
        if isinstance(node.right, Literal) and isinstance(node.right.value, str):
            try:
                Pattern(node.right.value)
            except SpelError as error:
                self.problem(node.right.at, error.message)

    def _calculated(self, node: Arithmetic) -> Schema:
        before = self.of(node.first)
        for at, (symbol, operand) in zip([node.first.at, *(o.at for _, o in node.rest)], node.rest, strict=False):
            one, other = named(before), named(self.of(operand))
            if symbol == "+" and "text" in {one, other}:
                before = "text"
                continue
            if symbol == "+" and ANY in {one, other}:
                before = ANY
                continue
            for place, found in ((at, one), (operand.at, other)):
                if found not in {"number", ANY}:
                    self.problem(place, f"{symbol} takes numbers, this is {_article(found)}")
            before = "number"
        return before


def _is_safe(part: Node) -> bool:
    """Whether a part of a chain answers null for nothing."""
    return bool(part.safe) if isinstance(part, Property | Call | Index | Select | Project) else True


def _misfit(parameter: str, given: str) -> bool:
    """Whether an argument of this schema surely does not go with the parameter."""
    if given in {ANY, "null", "list"} or parameter in {"Object", "Collection"}:
        return False
    if parameter == "CharSequence":
        return given != "text"
    if parameter == "LocalTime":
        return given != "time"
    return given in {"map", "time"} or (given == "bool" and parameter != "String")
