"""From a tree to Python closures, made once and called for every report. Each closure takes the Frame and gives a value.

The commonest forms of rules (`#map['key']`, comparison with a literal, and/or of two) have closures of their own.
"""

from collections.abc import Callable
from typing import Any

from pipeline.fraud.spel import loops, methods, operators, regex
from pipeline.fraud.spel.errors import SpelError
from pipeline.fraud.spel.overloads import call, to_int, to_text
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
from pipeline.fraud.spel.values import Frame, described, key, kind, truth

Run = Callable[[Frame], Any]
Step = Callable[[Frame, Any], Any]

COMPARISONS = {"<": operators.less, "<=": operators.at_most, ">": operators.greater, ">=": operators.at_least}
# What rules ask of a text most, answered without choosing among forms
QUICK: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda subject, part: part in subject,
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "equals": lambda subject, other: subject == other,
}
LONG_TEXT = 256  # characters; beyond it a method is charged for


class Builder:
    """Makes the closures of one expression, and gathers the names it uses. `nodes` counts what one pass through them costs."""

    def __init__(self) -> None:
        self.nodes = 0
        self.variables: set[str] = set()
        self.root_names: set[str] = set()
        self._loops = 0
        self._makers: dict[type[Node], Callable[[Any], Run]] = {
            Literal: self._literal,
            Variable: self._variable,
            Chain: self._chain,
            Property: self._first,
            Call: self._first,
            Index: self._first,
            Select: self._first,
            Project: self._first,
            Compare: self._compare,
            Logic: self._logic,
            Arithmetic: self._arithmetic,
            Unary: self._unary,
            Ternary: self._ternary,
            Elvis: self._elvis,
            ListOf: self._list,
            MapOf: self._map,
            StaticCall: self._static,
        }

    def build(self, node: Node) -> Run:
        """The closure of a node. SpelError for what can be refused before it runs."""
        self.nodes += 1
        return self._makers[type(node)](node)

    def _literal(self, node: Literal) -> Run:
        value = node.value
        return lambda _frame: value

    def _list(self, node: ListOf) -> Run:
        items = [self.build(item) for item in node.items]
        return lambda frame: [item(frame) for item in items]

    def _map(self, node: MapOf) -> Run:
        entries = [(self.build(stored), self.build(value)) for stored, value in node.entries]
        return lambda frame: {key(stored(frame)): value(frame) for stored, value in entries}

    def _variable(self, node: Variable) -> Run:
        name = node.name
        if name == "root":
            return lambda frame: frame.root
        if name == "this":
            return lambda frame: frame.scope
        self.variables.add(name)
        return lambda frame: frame.variables.get(name)

    def _chain(self, node: Chain) -> Run:
        first, rest = node.first, node.rest
        if isinstance(first, Variable) and isinstance(rest[0], Index) and isinstance(rest[0].key, Literal):
            self.nodes += 1
            begin, rest = self._keyed(first, rest[0]), rest[1:]
        else:
            begin = self.build(first)
        steps = [self.step(part) for part in rest]
        if not steps:
            return begin
        if len(steps) == 1:
            only = steps[0]
            return lambda frame: only(frame, begin(frame))

        def run(frame: Frame) -> Any:
            value = begin(frame)
            for step in steps:
                value = step(frame, value)
            return value

        return run

    def _keyed(self, variable: Variable, index: Index) -> Run:
        """`#name['key']`, the commonest of all."""
        base, step = self.build(variable), self.step(index)
        name, wanted = variable.name, index.key.value if isinstance(index.key, Literal) else None
        if type(wanted) is not str or name in {"root", "this"}:
            return lambda frame: step(frame, base(frame))

        def run(frame: Frame) -> Any:
            value = frame.variables.get(name)
            return value.get(wanted) if type(value) is dict else step(frame, value)

        return run

    def _first(self, node: Property | Call | Index | Select | Project) -> Run:
        """A chain's beginning without a variable: asked of the scope, or a function."""
        if isinstance(node, Call) and node.name in FUNCTIONS:
            forms, arguments, name = FUNCTIONS[node.name], [self.build(argument) for argument in node.arguments], node.name
            return lambda frame: call(name, forms, frame, None, [argument(frame) for argument in arguments])
        if isinstance(node, Property) and not self._loops:
            self.root_names.add(node.name)
        step = self.step(node)
        return lambda frame: step(frame, frame.scope)

    def step(self, part: Node) -> Step:
        """What a part of a chain does with the value before it."""
        self.nodes += 1
        match part:
            case Property():
                return self._property(part)
            case Call():
                return self._call(part)
            case Index():
                return self._index(part)
            case Select() | Project():
                return self._loop(part)
            case _:  # `.#name`: Spring takes the variable, whatever stands before
                run = self.build(part)
                return lambda frame, _value: run(frame)

    def _property(self, part: Property) -> Step:
        name, safe, at, read = part.name, part.safe, part.at, methods.read_property

        def run(frame: Frame, value: Any) -> Any:
            if type(value) is dict and name in value:
                return value[name]
            return None if safe and value is None else read(frame, value, name, at)

        return run

    def _call(self, part: Call) -> Step:
        name, safe, at = part.name, part.safe, part.at
        arguments = [self.build(argument) for argument in part.arguments]
        known = {kind_name: table[name] for kind_name, table in methods.METHODS.items() if name in table}

        def run(frame: Frame, value: Any) -> Any:
            given = [argument(frame) for argument in arguments]
            if value is None:
                if safe:
                    return None
                raise SpelError("MISSING", f"{name}() of nothing (null)", at)
            value_kind = kind(value)
            forms = known.get(value_kind)
            if forms is None:
                raise methods.missing(value_kind, name, value, at)
            return call(name, forms, frame, value, given)

        if len(arguments) != 1 or name not in QUICK:
            return run
        quick, only = QUICK[name], arguments[0]

        def run_quick(frame: Frame, value: Any) -> Any:
            if type(value) is str and len(value) <= LONG_TEXT:
                other = only(frame)
                if type(other) is str:
                    return quick(value, other)
                return call(name, known["text"], frame, value, [other])
            return run(frame, value)

        return run_quick

    def _index(self, part: Index) -> Step:
        safe, at = part.safe, part.at
        # a bare name in the brackets is itself the key of a map; for anything else it is read from the root
        bare = part.key.name if isinstance(part.key, Property) else None
        outside, self._loops = self._loops, 0
        wanted = self.build(part.key)
        self._loops = outside

        def run(frame: Frame, value: Any) -> Any:
            if bare is not None and value is not None and kind(value) == "map":
                return value.get(bare)
            scope, frame.scope = frame.scope, frame.root
            asked = wanted(frame)
            frame.scope = scope
            if value is None and safe:
                return None
            return _indexed(frame, value, asked, at)

        return run

    def _loop(self, part: Select | Project) -> Step:
        before = self.nodes
        self._loops += 1
        body = self.build(part.criterion if isinstance(part, Select) else part.body)
        self._loops -= 1
        cost, safe, at = self.nodes - before + 1, part.safe, part.at
        if isinstance(part, Project):
            return lambda frame, value: loops.project(frame, value, body, cost, safe, at)
        which = part.which
        return lambda frame, value: loops.select(frame, value, body, which, cost, safe, at)

    def _static(self, node: StaticCall) -> Run:
        offered = TYPES[node.type_name]
        if node.arguments is None:
            constant = offered.constants[node.name]
            return lambda _frame: constant
        forms, name, arguments = offered.methods[node.name], node.name, [self.build(argument) for argument in node.arguments]
        return lambda frame: call(name, forms, frame, None, [argument(frame) for argument in arguments])

    def _compare(self, node: Compare) -> Run:
        left, right = self.build(node.left), self.build(node.right)
        operator, literal = node.operator, node.right.value if isinstance(node.right, Literal) else None
        if operator in {"==", "!="}:
            return self._equality(node, left, right)
        if operator == "matches":
            return lambda frame: _matches(frame, left(frame), right(frame))
        if operator == "between":
            return lambda frame: operators.between(left(frame), right(frame))
        test = COMPARISONS[operator]
        if type(literal) in {int, float}:
            return lambda frame: test(left(frame), literal)
        return lambda frame: test(left(frame), right(frame))

    def _equality(self, node: Compare, left: Run, right: Run) -> Run:
        equal, wanted = operators.equal, node.operator == "=="
        if isinstance(node.right, Literal) and node.right.value is None:
            return (lambda frame: left(frame) is None) if wanted else (lambda frame: left(frame) is not None)
        if isinstance(node.right, Literal) and isinstance(node.right.value, bool):
            literal = node.right.value
            # yes and no are two objects, and equal to nothing else
            return (lambda frame: left(frame) is literal) if wanted else (lambda frame: left(frame) is not literal)
        if wanted:
            return lambda frame: equal(left(frame), right(frame), frame)
        return lambda frame: not equal(left(frame), right(frame), frame)

    def _logic(self, node: Logic) -> Run:
        operands, ends = [self.build(operand) for operand in node.operands], node.operator == "or"

        def run(frame: Frame) -> bool:
            for operand in operands:
                value = operand(frame)
                if (value if value is True or value is False else truth(value)) is ends:
                    return ends
            return not ends

        if len(operands) != 2:
            return run
        left, right = operands

        def run_two(frame: Frame) -> bool:
            value = left(frame)
            if (value if value is True or value is False else truth(value)) is ends:
                return ends
            value = right(frame)
            return value if value is True or value is False else truth(value)

        return run_two

    def _arithmetic(self, node: Arithmetic) -> Run:
        first, rest = self.build(node.first), [(_calculation(symbol), self.build(operand)) for symbol, operand in node.rest]
        if len(rest) == 1:
            calculate, other = rest[0]
            return lambda frame: calculate(first(frame), other(frame), frame)

        def run(frame: Frame) -> Any:
            value = first(frame)
            for calculate, operand in rest:
                value = calculate(value, operand(frame), frame)
            return value

        return run

    def _unary(self, node: Unary) -> Run:
        operand = self.build(node.operand)
        if node.operator == "!":
            return lambda frame: not truth(operand(frame))
        turned = operators.negative if node.operator == "-" else operators.positive
        return lambda frame: turned(operand(frame))

    def _ternary(self, node: Ternary) -> Run:
        condition, yes, no = self.build(node.condition), self.build(node.yes), self.build(node.no)
        return lambda frame: yes(frame) if truth(condition(frame)) else no(frame)

    def _elvis(self, node: Elvis) -> Run:
        value, otherwise = self.build(node.value), self.build(node.otherwise)

        def run(frame: Frame) -> Any:
            found = value(frame)
            return otherwise(frame) if found is None or (isinstance(found, str) and found == "") else found

        return run


def _calculation(symbol: str) -> Callable[[Any, Any, Frame], Any]:
    if symbol == "+":
        return operators.plus
    if symbol == "-":
        return operators.minus
    return lambda left, right, _frame: operators.calculate(symbol, left, right)


def _matches(frame: Frame, subject: Any, source: Any) -> bool:
    written = to_text(subject, frame)
    if written is None or kind(source) != "text":
        raise SpelError("TYPE", "matches takes a text on both sides")
    return regex.matches(written, source, frame)


def _indexed(frame: Frame, value: Any, asked: Any, at: int) -> Any:
    if value is None:
        raise SpelError("MISSING", "[…] of nothing (null)", at)
    match kind(value):
        case "map":
            return methods.found(value, asked)
        case "list" | "array" | "collection":
            return methods.item(value, to_int(asked, frame))
        case "text":
            return str(methods.item(value, to_int(asked, frame)))
        case _ if kind(asked) == "text":
            return methods.read_property(frame, value, asked, at)
        case _:
            raise SpelError("TYPE", f"{described(value)} has no items", at)
