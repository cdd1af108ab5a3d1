"""What holds for every file of this repository, whoever writes it."""

import ast
import re
import runpy
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from pipeline.errors import REGISTRY

ROOT = Path(__file__).resolve().parents[2]
THIS = Path(__file__).resolve().relative_to(ROOT)

MAX_FUNCTION_LINES = 70
MAX_FILE_LINES = 400
MAX_TEST_FILE_LINES = 600  # a policy table and its fixtures in one place read better than split

# Longer than the limit when the limit came. An entry is the length now: it may only shrink, and goes when it fits.
LONG_FUNCTIONS: dict[str, int] = {}
LONG_FILES: dict[str, int] = {}

TEXT_SUFFIXES = {".py", ".sql", ".md", ".toml", ".txt", ".lock", ".json", ".html", ".css", ".svg", ".yml", ".yaml", ".sh", ".conf", ""}
EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u26ff\u2705\u2728\u274c\u274e\u2753-\u2757\u2764\u2b50\u2b55\ufe0f]")
MACHINE_PATH = re.compile(r"(?<![\w.$}])/(?:work|root|home)(?=/|\b(?![-\w]))")
REGISTRY_HOSTS = re.compile(r"pypi[.]org|python[h]osted|npm[j]s[.]|crates[.]io|golang[.]org|debian[.]org|maven[.]org")
# Time enters in these files only; the sandbox is another company's program, with a clock of its own.
CLOCKS = {"pipeline/clock.py", "pipeline/payouts/sandbox/clock.py"}
CLOCK_CALLS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"}
SQL_CLOCK = re.compile(r"\b(now\s*\(|current_(timestamp|date|time)\b|localtime|(clock|statement|transaction)_timestamp)", re.IGNORECASE)
RECORDED_AT = re.compile(r"^\s*recorded_at\s+timestamptz\s+NOT NULL DEFAULT now\(\),?")
# A page must not be able to run a person's text, and nothing may run text as code.
BANNED_NAMES = {"unsafe_allow_html", "unsafe_allow_javascript", "allow_dangerous_code"}
BANNED_CALLS = {"eval", "exec", "breakpoint", "os.system", "pickle.loads", "pickle.load", "st.login", "st.experimental_user"}


def _git(*arguments: str) -> list[str]:
    listed = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return listed.stdout.splitlines()


@cache
def files() -> tuple[Path, ...]:
    """Every text file that is or would be committed, relative to the root."""
    kept = _git("ls-files", "--cached")
    new = _git("ls-files", "--others", "--exclude-standard", "--", "dashboard", "docs", "pipeline", "queries", "sql", "tests")
    paths = (Path(line) for line in kept + new)
    return tuple(sorted(p for p in paths if p.suffix in TEXT_SUFFIXES and (ROOT / p).is_file() and p != THIS))


@cache
def read(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(read(path))


def ours(*folders: str) -> Iterator[Path]:
    """Python files below these folders, or all."""
    return (p for p in files() if p.suffix == ".py" and (not folders or p.parts[0] in folders))


def lines_with(pattern: re.Pattern[str], paths: Iterator[Path] | tuple[Path, ...]) -> list[str]:
    return [f"{p}:{n}: {line.strip()[:100]}" for p in paths for n, line in enumerate(read(p).splitlines(), 1) if pattern.search(line)]


def dotted(node: ast.expr) -> str:
    """`a.b.c` of a name or attribute; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


def test_no_emoji_anywhere():
    assert lines_with(EMOJI, files()) == []


def test_no_path_of_somebodys_machine():
    assert lines_with(MACHINE_PATH, files()) == []


def test_no_package_registry_is_named():
    assert lines_with(REGISTRY_HOSTS, files()) == []


def test_nothing_is_left_to_be_done_later():
    assert (
        lines_with(re.compile(r"\b(TODO|FIXME|XXX|HACK)\b"), tuple(p for p in files() if p.suffix in {".py", ".sql", ".md", ".toml"})) == []
    )


def test_only_the_clock_asks_for_the_time():
    found = [
        f"{p}:{node.lineno}"
        for p in ours("pipeline", "queries", "dashboard")
        if str(p) not in CLOCKS
        for node in ast.walk(tree(p))
        if isinstance(node, ast.Call) and any(dotted(node.func) in (call, f"datetime.{call}") for call in CLOCK_CALLS)
    ]
    assert found == []


def test_no_sql_asks_for_the_time_but_recorded_at():
    found = []
    for path in files():
        if path.suffix != ".sql":
            continue
        for number, line in enumerate(read(path).splitlines(), 1):
            statement = line.split("--")[0]
            if SQL_CLOCK.search(statement) and not RECORDED_AT.match(statement):
                found.append(f"{path}:{number}: {line.strip()}")
    assert found == []


def test_no_sql_in_python_asks_for_the_time():
    found = [
        f"{p}:{node.lineno}"
        for p in ours("pipeline", "queries", "dashboard")
        for node in ast.walk(tree(p))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.search(r"\b(?i:now)\(\)|CURRENT_TIMESTAMP", node.value)
        if re.search(r"\b(SELECT|INSERT|UPDATE|DELETE|WHERE)\b", node.value)
    ]
    assert found == []


def test_no_text_is_run_as_code_or_as_a_page():
    found = []
    for path in ours("pipeline", "queries", "dashboard"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and dotted(node.func) in BANNED_CALLS:
                found.append(f"{path}:{node.lineno}: {dotted(node.func)}")
            if isinstance(node, ast.keyword) and node.arg in BANNED_NAMES:
                found.append(f"{path}:{node.value.lineno}: {node.arg}")
    assert found == []


def test_no_enum_types_in_the_schema():
    assert lines_with(re.compile(r"\bAS\s+ENUM\b", re.IGNORECASE), tuple(p for p in files() if p.suffix == ".sql")) == []


def test_functions_fit_on_a_screen():
    found = {}
    for path in ours():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
                length = node.end_lineno - node.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    found[f"{path}:{node.name}"] = length
    assert found == LONG_FUNCTIONS


def test_files_are_rooms_not_halls():
    found = {}
    for path in ours():
        length = len(read(path).splitlines())
        if length > (MAX_TEST_FILE_LINES if path.parts[0] == "tests" else MAX_FILE_LINES):
            found[str(path)] = length
    assert found == LONG_FILES


def settings_names() -> set[str]:
    """The variables that pipeline/settings.py reads."""
    calls = [node for node in ast.walk(tree(Path("pipeline/settings.py"))) if isinstance(node, ast.Call) and node.args]
    readers = {"text", "number", "path", "switch"}
    return {call.args[0].value for call in calls if dotted(call.func) in readers and isinstance(call.args[0], ast.Constant)}


def test_every_setting_is_documented_and_nothing_else_is():
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", read(Path("docs/settings.md")), re.MULTILINE))
    assert documented == settings_names()


def test_only_settings_read_our_variables():
    found = [
        f"{p}:{node.lineno}"
        for p in ours("pipeline", "queries", "dashboard")
        if str(p) != "pipeline/settings.py"
        for node in ast.walk(tree(p))
        if isinstance(node, ast.Subscript | ast.Call) and "os.environ" in ast.unparse(node)
        if any(isinstance(part, ast.Constant) and part.value in settings_names() for part in ast.walk(node))
    ]
    assert found == []


def test_the_sandbox_imports_nothing_of_ours():
    found = []
    for path in ours("pipeline"):
        if path.parts[:3] != ("pipeline", "payouts", "sandbox"):
            continue
        for node in ast.walk(tree(path)):
            names = (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [a.name for a in node.names]
                if isinstance(node, ast.Import)
                else []
            )
            ours_named = [name for name in names if name.split(".")[0] in {"pipeline", "queries", "dashboard"}]
            found += [f"{path}: {name}" for name in ours_named if not name.startswith("pipeline.payouts.sandbox")]
    assert found == []


def test_every_raised_code_is_registered():
    raised = {
        node.args[0].value
        for p in ours("pipeline", "queries", "dashboard")
        for node in ast.walk(tree(p))
        if isinstance(node, ast.Call) and dotted(node.func).endswith("AppError") and node.args and isinstance(node.args[0], ast.Constant)
    }
    assert raised - set(REGISTRY) == set()


def test_documents_drawn_from_code_are_current():
    documents = runpy.run_path(str(ROOT / "docs/build.py"))["DOCUMENTS"]
    stale = [name for name, render in documents.items() if read(Path("docs") / name) != render()]
    assert stale == [], "run make docs"


def test_links_between_documents_lead_somewhere():
    broken = []
    for path in files():
        if path.suffix != ".md":
            continue
        targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", read(path))
        broken += [f"{path}: {target}" for target in targets if not (ROOT / path.parent / target).exists()]
    assert broken == []


def test_the_lock_holds_versions_and_hashes_only_and_every_requirement():
    lock = read(Path("requirements.lock"))
    entries = re.findall(r"^([a-z0-9-]+)==[^\s;]+(?: ; [^\\]+)? \\$", lock, re.MULTILINE)
    rest = [line for line in lock.splitlines() if not re.match(r"^(#.*|[a-z0-9-]+==.*\\|    --hash=sha256:[0-9a-f]{64}( \\)?)$", line)]
    assert rest == []
    wanted = re.findall(r"^([a-z0-9-]+)(?:\[\w+\])?>=[^,]+(,<\S+)?", read(Path("requirements.txt")), re.MULTILINE)
    assert {name for name, _ in wanted} - set(entries) == set()
    assert "django" not in entries


def test_every_promise_of_security_names_a_test_that_exists():
    named = re.findall(r"`(tests/[\w/.]+)`", read(Path("SECURITY.md")))
    assert len(named) > 20
    assert [name for name in named if not (ROOT / name).exists()] == []
