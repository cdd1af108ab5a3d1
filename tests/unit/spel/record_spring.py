"""Asks Spring again: writes spring_answers.tsv with what Spring says to the expressions of generator.py.

    python tests/unit/spel/record_spring.py --classpath spring-expression.jar:spring-core.jar:commons-logging.jar

needs a JDK and those three jars (on Debian libspring-expression-java). `--seed`, `--count` and `--out` try other expressions than
the recorded ones; `--compare` says where we and Spring differ instead of writing anything.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2]))

from tests.unit.spel.differences import difference  # noqa: E402
from tests.unit.spel.generator import Generator  # noqa: E402
from tests.unit.spel.judged import agrees, ours  # noqa: E402

ANSWERS = HERE / "spring_answers.tsv"
SEED, COUNT = 20261122, 2000  # half with properties of maps, half without
TIMEOUT_S = 300


def expressions(seed: int, count: int) -> list[str]:
    """Different expressions, the same for the same seed."""
    found: dict[str, None] = {}
    dialects = [Generator(seed, keys=True), Generator(seed + 1, keys=False)]
    while len(found) < count:
        found[dialects[len(found) % 2].expression()] = None
    return list(found)


def ask(classpath: str, asked: list[str]) -> list[str]:
    """Spring's answer to each, in order."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["javac", "-cp", classpath, "-d", folder, str(HERE / "SpringJudge.java")], check=True, timeout=TIMEOUT_S)
        opened = "java.base/java.util=ALL-UNNAMED"
        command = ["java", "--add-opens", opened, "-cp", f"{classpath}:{folder}", "SpringJudge"]
        done = subprocess.run(command, input="\n".join(asked) + "\n", capture_output=True, text=True, check=True, timeout=TIMEOUT_S)
    answers = done.stdout.split("\n")[:-1]
    assert len(answers) == len(asked), "one answer a line"
    return answers


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classpath", required=True)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--out", type=Path, default=ANSWERS)
    parser.add_argument("--compare", action="store_true")
    args = parser.parse_args()
    asked = expressions(args.seed, args.count)
    answers = ask(args.classpath, asked)
    if not args.compare:
        lines = [f"{expression}\t{answer}\n" for expression, answer in zip(asked, answers, strict=True)]
        args.out.write_text("".join(lines), encoding="utf-8")
        print(f"{len(lines)} answers in {args.out}")
        return 0
    reasons: dict[str, int] = {}
    for expression, answer in zip(asked, answers, strict=True):
        if agrees(expression, answer):
            reasons["agrees"] = reasons.get("agrees", 0) + 1
            continue
        reason = difference(expression, answer) or "UNEXPLAINED"
        reasons[reason] = reasons.get(reason, 0) + 1
        if reason == "UNEXPLAINED":
            print(f"{expression}\n    Spring {answer!r}\n    ours   {ours(expression)!r}")
    print(reasons)
    return 1 if "UNEXPLAINED" in reasons else 0


if __name__ == "__main__":
    sys.exit(main())
