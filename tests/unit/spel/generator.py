"""Random expressions over the judged context, from a seed: mostly of the right kinds, now and then of a wrong one.

Two dialects: `keys` writes properties of maps and bare names; without it only what a Spring without a map accessor understands.
"""

import random
from collections.abc import Callable

WORDS = ["pack", "injured", "SELFIE", "DOG_PHOTO", "emulator", "", "a", "DJC001", "Amina", "7", "12.5", "true", "it''s", "é", "no", "sdk"]
NUMBERS = [
    "0", "1", "2", "3", "7", "10", "12", "45", "50", "100", "2456789", "1000L", "0L", "3L", "0.5", "0.42", "28.56", "1.5", "2.0", "1e3",
    "2.5E-3", "0x1F", "0xFFL", "5d", "1.5f", "0.1f", "1734176205000L", "99999.75",
]  # fmt: skip
VARIABLES = {
    "text": ["#applicantId", "#applicantName", "#deviceId", "#mobileNumber", "#locality", "#additionalData['note']",
             "#additionalData['reportType']", "#evidences[0]['purpose']", "#evidences[1]['metadata']['deviceId']",
             "#additionalData['tags'][0]"],
    "number": ["#latitude", "#longitude", "#evidenceCount", "#additionalData['dogCount']", "#additionalData['lifetimeReportCount']",
               "#additionalData['imageQualityScore']", "#predictions['dogCount']", "#predictions['confidence']", "#now",
               "#evidences[1]['size']"],
    "boolean": ["#additionalData['isAggressive']", "#predictions['match']", "#predictions['isSpoofed']",
                "#evidences[0]['metadata']['exifPresent']"],
    "list": ["#evidences", "#additionalData['tags']"],
    "map": ["#additionalData", "#predictions", "#evidences[0]", "#evidences[1]['metadata']"],
    "null": ["null", "#absent", "#additionalData['nothing']", "#predictions['unknown']"],
}  # fmt: skip
KEYED = {
    "text": ["#additionalData.note", "#evidences[0].purpose", "additionalData.reportType", "#evidences[0]?.type"],
    "number": ["dogCount", "predictions.dogCount", "metadata.timestamp.hour", "#additionalData.dogCount", "additionalData?.dogCount",
               "#root.confidence", "similarity", "#evidences[0].size"],
    "boolean": ["predictions.match", "isSpoofed", "#root.match", "#evidences[1].metadata.exifPresent"],
    "list": ["additionalData.tags", "#additionalData.tags"],
    "map": ["predictions", "#root", "additionalData", "metadata.timestamp", "#evidences[0].metadata"],
    "null": ["metadata.camera", "metadata.camera?.model", "#absent?.name", "#additionalData.nothing"],
}  # fmt: skip
PATTERNS = [".*", "[a-z]+", "[6-9]\\d{9}", "emulator-.*", "\\w+", "(DOG|CAT)_PHOTO", "[A-Z]{3}\\d+", "a|b", ".*gate$", "^Pack.*", "x?"]
ALTERNATIVES = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}


class Generator:
    """Writes expressions. The same seed and dialect write the same ones."""

    def __init__(self, seed: int, keys: bool = True) -> None:
        self._random = random.Random(seed)
        self._keys = keys

    def expression(self) -> str:
        """One expression of any kind."""
        depth = self._random.choice((1, 2, 2, 3, 3, 4))
        kinds = (self.boolean, self.boolean, self.boolean, self.number, self.text, self.items, self.mapping, self.anything)
        return self._pick(kinds)(depth)[:1900]

    def _pick(self, options):
        return self._random.choice(options)

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _variable(self, kind: str) -> str:
        return self._pick(VARIABLES[kind] + (KEYED[kind] if self._keys else []))

    def _slip(self, depth: int) -> str | None:
        """Now and then something of another kind, or nothing."""
        if self._chance(0.03):
            return self._variable("null")
        return self.anything(depth - 1) if depth > 0 and self._chance(0.02) else None

    def anything(self, depth: int) -> str:
        makers: tuple[Callable[[int], str], ...] = (self.boolean, self.number, self.text, self.items, self.mapping)
        return self._variable("null") if self._chance(0.08) else self._pick(makers)(depth)

    def boolean(self, depth: int) -> str:
        if (slip := self._slip(depth)) is not None:
            return slip
        if depth <= 0:
            return self._pick(["true", "false", self._variable("boolean"), self._variable("boolean")])
        d = depth - 1
        makers = (
            lambda: self._relation(d), lambda: self._relation(d), lambda: self._relation(d),
            lambda: f"{self.boolean(d)} {self._pick(['and', '&&', 'AND'])} {self.boolean(d)}",
            lambda: f"{self.boolean(d)} {self._pick(['or', '||', 'Or'])} {self.boolean(d)}",
            lambda: f"({self.boolean(d)})",
            lambda: f"{self._pick(['!', 'not ', '!'])}{self._atom(self.boolean(d))}",
            lambda: f"{self._atom(self.boolean(d))} ? {self.boolean(d)} : {self.boolean(d)}",
            lambda: f"{self.text(d)} matches '{self._pick(PATTERNS)}'",
            lambda: f"{self.number(d)} between {{{self.number(d)}, {self.number(d)}}}",
            lambda: self._text_test(d), lambda: self._text_test(d),
            lambda: f"{self._atom(self.items(d))}.contains({self.anything(d)})",
            lambda: f"{self._atom(self.items(d))}.{self._pick(['isEmpty()', 'empty'])}",
            lambda: f"{self._atom(self.mapping(d))}.{self._pick(['containsKey', 'containsValue'])}({self.anything(d)})",
            lambda: f"{self.anything(d)} {self._pick(['==', '!='])} null",
            lambda: f"{self._atom(self.anything(d))}.equals({self.anything(d)})",
            lambda: f"{self.time()}.{self._pick(['isAfter', 'isBefore'])}({self.time()})",
        )  # fmt: skip
        return self._pick(makers)()

    def _relation(self, depth: int) -> str:
        operator = self._pick(list(ALTERNATIVES))
        if self._chance(0.25):
            operator = self._pick([ALTERNATIVES[operator], ALTERNATIVES[operator].upper()])
        maker = self._pick([self.number, self.number, self.number, self.text, self.boolean])
        right = self.anything(depth) if self._chance(0.06) else maker(depth)
        return f"{self._loose(maker(depth))} {operator} {self._loose(right)}"

    def _text_test(self, depth: int) -> str:
        method = self._pick(["contains", "startsWith", "endsWith", "equals", "equalsIgnoreCase", "matches"])
        if method == "matches":
            return f"{self._atom(self.text(depth))}.matches('{self._pick(PATTERNS)}')"
        return f"{self._atom(self.text(depth))}{self._pick(['.', '.', '.', '?.'])}{method}({self.text(depth)})"

    def number(self, depth: int) -> str:
        if (slip := self._slip(depth)) is not None:
            return slip
        if depth <= 0:
            return self._pick([self._pick(NUMBERS), self._variable("number"), self._variable("number")])
        d = depth - 1
        makers = (
            lambda: self._calculation(d), lambda: self._calculation(d), lambda: self._calculation(d),
            lambda: f"{self._pick('-+')}{self._pick(['', ' '])}{self._atom(self.number(d))}",
            lambda: f"({self.number(d)})",
            lambda: f"{self._atom(self.boolean(d))} ? {self.number(d)} : {self.number(d)}",
            lambda: f"{self._atom(self.number(d))} ?: {self.number(d)}",
            lambda: f"{self._variable('null')} ?: {self.number(d)}",
            lambda: f"{self._atom(self.text(d))}.length()",
            lambda: f"{self._atom(self.text(d))}.{self._pick(['indexOf', 'lastIndexOf', 'compareTo'])}({self.text(d)})",
            lambda: f"{self._atom(self.items(d))}.{self._pick(['size()', 'size()', f'indexOf({self.anything(d)})'])}",
            lambda: f"{self._atom(self.mapping(d))}.size()",
            lambda: f"T(java.lang.Math).{self._pick(['abs', 'round', 'floor', 'ceil', 'sqrt'])}({self.number(d)})",
            lambda: f"T(java.lang.Math).{self._pick(['min', 'max', 'pow'])}({self.number(d)}, {self.number(d)})",
            lambda: f"{self._atom(self.number(d))}.{self._pick(['intValue', 'longValue', 'doubleValue', 'floatValue'])}()",
            lambda: f"{self._atom(self.number(0))}.compareTo({self.number(0)})",
            lambda: f"{{{self.number(d)}, {self.number(d)}}}[{self._pick('01')}]",
            lambda: f"{self.time()}.{self._pick(['hour', 'minute', 'getSecond()'])}",
        )  # fmt: skip
        return self._pick(makers)()

    def _calculation(self, depth: int) -> str:
        operator = self._pick(["+", "-", "*", "/", "%", "+", "-", "*", "div", "mod", "^"])
        space = " " if operator.isalpha() else self._pick(["", " ", " "])
        left, right = self._loose(self.number(depth)), self._loose(self.number(depth if operator != "^" else 0))
        return f"{left}{space or ' '}{operator}{space or ' '}{right}"

    def text(self, depth: int) -> str:
        if (slip := self._slip(depth)) is not None:
            return slip
        if depth <= 0:
            quote = '"' if self._chance(0.15) else "'"
            return self._pick([f"{quote}{self._pick(WORDS)}{quote}", self._variable("text"), self._variable("text")])
        d = depth - 1
        makers = (
            lambda: f"{self._loose(self.text(d))} + {self._loose(self.anything(d))}",
            lambda: f"{self._loose(self.number(d))} + {self._loose(self.text(d))}",
            lambda: f"({self.text(d)})",
            lambda: f"{self._atom(self.text(d))}.{self._pick(['toUpperCase', 'toLowerCase', 'trim', 'toString'])}()",
            lambda: f"{self._atom(self.text(d))}.substring({self._pick('0123')}{self._pick(['', ', 4', ', 3'])})",
            lambda: f"{self._atom(self.text(d))}.replace({self.text(0)}, {self.text(0)})",
            lambda: f"{self._atom(self.text(d))}.concat({self.text(d)})",
            lambda: f"{self._atom(self.text(d))}[{self._pick('012')}]",
            lambda: f"{self._atom(self.text(d))}.split('{self._pick([' ', '-', '_', 'a', '[0-9]'])}')[0]",
            lambda: f"{self._atom(self.text(d))}.replaceAll('{self._pick(PATTERNS)}', '{self._pick(['x', '', '<$0>'])}')",
            lambda: f"{self._atom(self.text(d))}.charAt({self._pick('012')})",
            lambda: f"{self._atom(self.boolean(d))} ? {self.text(d)} : {self.text(d)}",
            lambda: f"{self._atom(self.text(d))} ?: {self.text(d)}",
            lambda: f"{self._atom(self.anything(d))}.toString()",
            lambda: f"{self._atom(self.anything(d))} + ''",
        )  # fmt: skip
        return self._pick(makers)()

    def items(self, depth: int) -> str:
        if (slip := self._slip(depth)) is not None:
            return slip
        if depth <= 0:
            return self._pick(["{}", "{1, 2, 3}", "{'a','b'}", self._variable("list"), self._variable("list")])
        d = depth - 1
        makers = (
            lambda: self._listed(d),
            lambda: f"{self._atom(self.items(d))}{self._pick(['.', '?.'])}?[{self._criterion(d)}]",
            lambda: f"{self._atom(self.items(d))}.![{self._projection(d)}]",
            lambda: f"{self._atom(self.mapping(d))}.![{self._pick(['key', 'value', '#this.value', '#this.key'])}]",
            lambda: f"{{{self._atom(self.items(d))}.{self._pick('^$')}[{self._criterion(d)}]}}",
            lambda: f"{self._atom(self.mapping(d))}.{self._pick(['keySet', 'values'])}()",
            lambda: f"{self._atom(self.text(d))}.split('{self._pick([' ', '-', '_', 'e', ''])}')",
            lambda: f"{self._atom(self.items(d))}.subList(0, {self._pick('012')})",
        )  # fmt: skip
        return self._pick(makers)()

    def _listed(self, depth: int) -> str:
        makers = (self.number, self.text, self.anything)
        return "{" + ", ".join(self._pick(makers)(depth) for _ in range(self._random.randint(0, 3))) + "}"

    def _criterion(self, depth: int) -> str:
        options = ["#this == null", "#this > 1", "#this != 'pack'", "true", "#this matches '.*a.*'", "#this == 'injured'", "false"]
        options += ["#this['size'] > 2000000", "#this['purpose'] == 'SELFIE'", "#this['metadata']['exifPresent']"]
        if self._keys:
            options += ["size > 2000000", "purpose == 'SELFIE'", "metadata.exifPresent", "length() > 4", "type?.length() == 5"]
        return self._pick(options) if self._chance(0.8) else self.boolean(depth)

    def _projection(self, depth: int) -> str:
        options = ["#this", "#this + '!'", "#this * 2", "#this?.toString()", "#this['purpose']", "#this['size'] / 1000", "{#this}"]
        if self._keys:
            options += ["purpose", "size", "metadata.deviceId", "toString()", "metadata?.exifPresent", "#root.dogCount"]
        return self._pick(options) if self._chance(0.8) else self.anything(depth)

    def mapping(self, depth: int) -> str:
        if (slip := self._slip(depth)) is not None:
            return slip
        if depth <= 0:
            return self._pick(["{:}", "{a:1, 'b':2}", self._variable("map"), self._variable("map")])
        d = depth - 1
        makers = (
            lambda: f"{{a: {self.anything(d)}, 'b c': {self.anything(d)}, {self._random.randint(1, 9)}: {self.anything(d)}}}",
            lambda: f"{self._atom(self.mapping(d))}.?[{self._entry_criterion()}]",
            lambda: f"{self._atom(self.mapping(d))}.{self._pick('^$')}[{self._entry_criterion()}]",
            lambda: f"{self._atom(self.items(d))}[{self._pick('01')}]",
        )  # fmt: skip
        return self._pick(makers)()

    def _entry_criterion(self) -> str:
        return self._pick(
            ["true", "value == true", "key.length() > 5", "value != null", "key == 'note' or key == 'a'", "value == 12", "false"]
        )

    def time(self) -> str:
        return f"T(java.time.LocalTime).of({self._random.randint(0, 23)}, {self._random.randint(0, 59)})"

    def _atom(self, written: str) -> str:
        """Something that a dot may follow."""
        simple = written.startswith(("#", "'", '"')) and not any(sign in written for sign in " +-*/<>=?^&|")
        return written if simple or self._chance(0.02) else f"({written})"

    def _loose(self, written: str) -> str:
        """An operand, at times without the brackets that it needs."""
        return written if self._chance(0.3) or " " not in written else f"({written})"
