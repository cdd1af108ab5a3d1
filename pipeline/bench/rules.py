"""Evaluations a second of the programme's own expressions: ours beside simpleeval, a CEL library and Spring itself.

All engines read an expression once and evaluate it many times, with a report's values handed over for each round of the rules, and
must answer the same. The others are no
part of the product: `pip install -r requirements-bench.txt` brings the Python ones, a JDK with Spring's jars the last.
"""

import importlib
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.fraud import spel
from pipeline.masterdata.base import COMMON
from pipeline.masterdata.files import load_folder
from pipeline.masterdata.fraud_models import Custom, ExternalCondition

ROUNDS = 5  # the engines take turns, so that a busy moment hits all; the median counts
ROUND_S = 0.6
JAVA_WARM_UP_S = 3  # until the JVM has compiled what it will compile
JAVA_TIMEOUT_S = 120
JARS = ("spring*-expression.jar", "spring*-core.jar", "commons-logging.jar")
JAR_FOLDER = Path("/usr/share/java")  # where Debian's packages put them
JUDGE = Path(__file__).with_name("SpringRules.java")

PREDICTIONS = {
    "dogCount": 0,
    "catCount": 1,
    "match": False,
    "similarity": 0.65,
    "overallQuality": 0.8,
    "isAcceptable": True,
    "isAnomaly": True,
    "anomalyScore": 0.9,
    "isSpoofed": True,
    "spoofingConfidence": 0.7,
    "facesDetected": 1,
    "blurScore": 0.5,
    "exposureScore": 0.2,
}
ADDITIONAL = {"isAggressive": True, "imageQualityScore": 0.42, "dogCount": 12, "lifetimeReportCount": 45}
VARIABLES: dict[str, Any] = {
    "additionalData": ADDITIONAL,
    "evidences": [{"purpose": "DOG_PHOTO"}, {"purpose": "SELFIE"}],
    "evidenceCount": 2,
    "latitude": 28.56,
    "longitude": 77.1,
    "deviceId": "android-abc123def456",
}
ROOT: dict[str, Any] = {"predictions": PREDICTIONS, "additionalData": ADDITIONAL, "metadata": {"timestamp": {"hour": 19}}}

# Hands a report's values over anew and evaluates every expression with them, as happens for each report
Pass = Callable[[], list[Any]]
Maker = Callable[[Sequence[str]], Pass]


@dataclass(frozen=True)
class Engine:
    """One engine's figure: evaluations a second, or why there is none. `differs`: rules that it answers otherwise than ours."""

    name: str
    per_second: float | None
    note: str = ""
    differs: int = 0


@dataclass(frozen=True)
class Rules:
    """What was measured, ours first."""

    expressions: int
    engines: tuple[Engine, ...]

    def as_text(self) -> list[str]:
        """The lines that are printed."""
        ours = self.engines[0].per_second or 0.0
        lines = ["", f"Expressions: the programme's {self.expressions}, evaluations a second of one thread's processor time"]
        for engine in self.engines:
            if engine.per_second is None:
                lines.append(f"  {engine.name:<44} not measured: {engine.note}")
                continue
            told = [f"ours is {ours / engine.per_second:.2f} times that"] if engine is not self.engines[0] else []
            told += [f"{engine.differs} answers differ"] if engine.differs else []
            lines.append(f"  {engine.name:<44} {engine.per_second:>11,.0f}/s   {', '.join(told)}".rstrip())
        return lines

    def as_data(self) -> dict[str, Any]:
        """The same for a program."""
        ours = self.engines[0].per_second or 0.0
        rows = [
            {**vars(engine), "ours_is_times": None if engine.per_second is None else round(ours / engine.per_second, 2)}
            for engine in self.engines
        ]
        return {"title": "Expressions", "expressions": self.expressions, "evaluations_per_second": rows}


def programme_expressions() -> list[str]:
    """The expressions of the shipped rules."""
    conditions = [rule.condition for rule in load_folder().fraud_rules(COMMON)]
    own = [condition.expression for condition in conditions if isinstance(condition, Custom)]
    return own + [condition.check_expression for condition in conditions if isinstance(condition, ExternalCondition)]


def measure(rounds: int = ROUNDS, round_s: float = ROUND_S) -> Rules:
    """Measure every engine that is here. Takes about 20 seconds."""
    expressions = programme_expressions()
    makers: list[tuple[str, Maker]] = [("ours, compiled once", _ours), ("ours, by text from the memory", _ours_by_text)]
    missing = []
    for name, module, maker in PYTHON_ENGINES:
        try:
            importlib.import_module(module)
        except ImportError:
            missing.append(Engine(name, None, "pip install -r requirements-bench.txt"))
        else:
            makers.append((name, maker))
    passes = [maker(expressions) for _, maker in makers]
    expected = passes[0]()
    rates: list[list[float]] = [[] for _ in makers]
    for _ in range(rounds):
        for number, one_pass in enumerate(passes):
            rates[number].append(_rate(one_pass, len(expressions), round_s))
    engines = [
        Engine(name, statistics.median(found), differs=_differing(one_pass(), expected))
        for (name, _), one_pass, found in zip(makers, passes, rates, strict=True)
    ]
    return Rules(len(expressions), (*engines, *missing, spring(expressions, expected, rounds * round_s)))


def _differing(answers: Sequence[Any], expected: Sequence[Any]) -> int:
    return sum(bool(answer) != value for answer, value in zip(answers, expected, strict=True))


def _rate(one_pass: Pass, size: int, seconds: float) -> float:
    # processor time: what else the machine does is not the engine's doing
    done, began = 0, time.process_time()
    while (passed := time.process_time() - began) < seconds:
        for _ in range(20):  # so that the clock is little of it
            one_pass()
        done += 20 * size
    return done / passed


def _ours(expressions: Sequence[str]) -> Pass:
    compiled = [spel.compile(expression) for expression in expressions]
    return lambda: [one.evaluate(VARIABLES, ROOT) for one in compiled]


def _ours_by_text(expressions: Sequence[str]) -> Pass:
    return lambda: [spel.evaluate(expression, VARIABLES, ROOT) for expression in expressions]


def _simpleeval(expressions: Sequence[str]) -> Pass:
    module: Any = importlib.import_module("simpleeval")
    evaluator = module.EvalWithCompoundTypes(functions={"abs": abs})
    written = [_python_text(expression) for expression in expressions]
    trees = [evaluator.parse(text) for text in written]

    def one_pass() -> list[Any]:
        evaluator.names = {**ROOT, **VARIABLES}
        return [evaluator.eval(text, previously_parsed=tree) for text, tree in zip(written, trees, strict=True)]

    return one_pass


def _python_text(expression: str) -> str:
    """The expression as Python writes it."""
    written = re.sub(r"#(\w+)\.contains\(('[^']*')\)", r"(\2 in \1)", expression)
    for theirs, python in (("&&", " and "), ("||", " or "), ("null", "None"), ("true", "True"), ("false", "False"), ("#", "")):
        written = written.replace(theirs, python)
    return written.strip()


def _cel_text(expression: str) -> str:
    """The expression in CEL, which has no abs()."""
    return re.sub(r"abs\((.+?) - (.+?)\) > 1", r"(\1 - \2 > 1 || \2 - \1 > 1)", expression.replace("#", ""))


def _cel(expressions: Sequence[str]) -> Pass:
    module: Any = importlib.import_module("cel")
    programs = [module.compile(_cel_text(expression)) for expression in expressions]

    def one_pass() -> list[Any]:
        values = module.Context({**ROOT, **VARIABLES})
        return [program.execute(values) for program in programs]

    return one_pass


PYTHON_ENGINES: tuple[tuple[str, str, Maker], ...] = (
    ("simpleeval, parsed once", "simpleeval", _simpleeval),
    ("CEL in Rust (common-expression-language)", "cel", _cel),
)


def spring(expressions: Sequence[str], expected: Sequence[Any], seconds: float, folder: Path = JAR_FOLDER) -> Engine:
    """Spring's own, interpreted, in a JVM that has run it for some seconds. Without JDK or jars the engine says so."""
    name = "Spring itself, interpreted (JVM)"
    jars = [next(iter(sorted(folder.glob(pattern))), None) for pattern in JARS]
    if None in jars:
        return Engine(name, None, "its jars are not here (on Debian libspring-expression-java)")
    classpath = ":".join(str(jar) for jar in jars)
    written = [expression.replace("abs(", "T(java.lang.Math).abs(") for expression in expressions]
    try:
        with tempfile.TemporaryDirectory() as made:
            subprocess.run(["javac", "-cp", classpath, "-d", made, str(JUDGE)], check=True, capture_output=True, timeout=JAVA_TIMEOUT_S)
            command = ["java", "-cp", f"{classpath}:{made}", "SpringRules", str(JAVA_WARM_UP_S), str(seconds)]
            given = "\n".join(written) + "\n"
            done = subprocess.run(command, input=given, capture_output=True, text=True, check=True, timeout=JAVA_TIMEOUT_S)
    except FileNotFoundError:
        return Engine(name, None, "no JDK (javac, java) is here")
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        return Engine(name, None, f"it did not run: {error}")
    rate, *answers = done.stdout.split()
    differs = sum(answer != str(value).lower() for answer, value in zip(answers, expected, strict=True))
    return Engine(name, float(rate), differs=differs)
