"""Writes the documents that are drawn from code, so that they cannot drift: `make docs` writes, `make check` compares.

Each entry of DOCUMENTS is a file of this folder and the function that renders it.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from pipeline.errors import REGISTRY
from pipeline.masterdata.files import load_folder
from pipeline.packets.document import text as packets

HERE = Path(__file__).resolve().parent


def errors() -> str:
    """docs/errors.md: one row per registered error, in the order in which the checks run."""
    lines = [
        "# Errors",
        "",
        "Made from `pipeline/errors.py` by `make docs`. A client compares the code; the sentence is for people and may be",
        "reworded. Where several are true at once the first of this list is answered.",
        "",
        "| code | HTTP | sentence | params |",
        "|---|---|---|---|",
    ]
    for code, spec in REGISTRY.items():
        params = ", ".join(f"`{name}`" for name in spec.params) or "none"
        lines.append(f"| `{code}` | {spec.status} | {spec.message} | {params} |")
    return "\n".join(lines) + "\n"


def states() -> str:
    """docs/states.md: the report's states and transitions as the shipped workflow has them, drawn and listed."""
    table = load_folder().workflow("dj.djibouti-ville")
    rows = [row for entries in table.transitions.values() for row in entries]
    lines = [
        "# States of a report",
        "",
        "Made from `pipeline/masterdata/data/workflow/BusinessService.json` by `make docs`. The one door of `pipeline/reports/workflow.py`",
        "works by this table; there is no other way to change a report's state.",
        "",
        "```mermaid",
        "stateDiagram-v2",
    ]
    drawn: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        actions = drawn.setdefault((row.from_state or "[*]", row.to_state), [])
        if row.action not in actions:
            actions.append(row.action)
    lines += [f"    {source} --> {target}: {', '.join(actions)}" for (source, target), actions in drawn.items()]
    lines += [f"    {code} --> [*]" for code, state in table.states.items() if state.terminal]
    lines += ["```", "", "| from | action | to | who | when |", "|---|---|---|---|---|"]
    for row in rows:
        when = ", ".join(word.lower().replace("_", " ") for word in (row.when, row.only_by) if word)
        lines.append(f"| {row.from_state or 'none'} | `{row.action}` | {row.to_state} | {', '.join(sorted(row.roles))} | {when} |")
    return "\n".join(lines) + "\n"


DOCUMENTS: dict[str, Callable[[], str]] = {
    "errors.md": errors,
    "states.md": states,
    "packets.md": packets,
}


def main(arguments: list[str]) -> int:
    """Write every document, or with --check name those that are not current and return 1."""
    stale = []
    for name, render in DOCUMENTS.items():
        path, text = HERE / name, render()
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in arguments:
            path.write_text(text, encoding="utf-8")
    if stale and "--check" in arguments:
        sys.stderr.write(f"Not current: {', '.join(f'docs/{name}' for name in stale)}. Run make docs.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
