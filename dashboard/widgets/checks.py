"""What the automatic checks measured, and which fraud rules fired: for people who decide, in words."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from sqlalchemy import RowMapping

from dashboard import formats
from dashboard.widgets.rows import escape, mark, part

NAMES: dict[str, str] = {
    "GPS_LOCATION": "Place of the photo",
    "TIMESTAMP_FRESHNESS": "Age of the photo",
    "BOUNDARY_CHECK": "Inside the area",
    "DUPLICATE_IMAGE": "Not sent before",
    "FRAUD_SCORE": "Risk score",
}
RISK_COLOURS = {"LOW": "green", "MEDIUM": "blue", "HIGH": "orange", "CRITICAL": "red"}
RECOMMENDATIONS = {
    "APPROVE": "Nothing speaks against it",
    "MANUAL_REVIEW": "Needs a careful look",
    "AUTO_REJECT": "To be rejected",
}


def amount(value: float | None, unit: str) -> str:
    """A measured value in its unit, as people write it."""
    if value is None:
        return "not measurable"
    match unit:
        case "m":
            return formats.distance(value)
        case "km":
            return f"{value:.1f} km" if value else "0 km"
        case "h":
            return f"{value:.3g} h" if abs(value) >= 1 else f"{value * 60:.0f} min"
        case "similarity":
            return f"{value:.0%}"
        case _:
            return f"{value:g}"


def table(checks: Sequence[RowMapping]) -> None:
    """One line a check: what was measured, the limit, and why it passed or failed."""
    if not checks:
        st.caption("The automatic checks have not run yet.")
        return
    body = "".join(_line(check) for check in checks)
    st.html(
        '<table class="facts checks"><thead><tr><th scope="col">Check</th><th scope="col">Result</th><th scope="col">Measured</th>'
        f'<th scope="col">Limit</th><th scope="col">Why</th></tr></thead><tbody>{body}</tbody></table>'
    )


def _line(check: RowMapping) -> str:
    passed = bool(check["passed"])
    details = check["details"]
    notes = [str(check["reason"])]
    if details.get("pinFarFromDevice"):
        notes.append(f"The pin is {formats.distance(details['pinFromDeviceM'])} from the device")
    if check["name"] == "FRAUD_SCORE" and not passed and check["measured"] <= check["limit_value"]:
        notes.append("A rule that rejects by itself fired")
    verdict = mark("Passed", "green") if passed else mark("Failed", "red")
    if passed and (details.get("flagged") or details.get("pinFarFromDevice") or details.get("review")):
        verdict = mark("Passed, note", "orange")
    return (
        f'<tr><th scope="row">{escape(NAMES.get(check["name"], formats.words(check["name"])))}</th><td>{verdict}</td>'
        f'<td class="num">{escape(_measured(check))}</td><td class="num">{escape(_limit(check))}</td>'
        f'<td class="why">{escape(". ".join(notes))}</td></tr>'
    )


def _measured(check: RowMapping) -> str:
    if check["measured"] is None and check["name"] == "DUPLICATE_IMAGE":
        return "none alike"
    return amount(check["measured"], check["unit"])


def _limit(check: RowMapping) -> str:
    words = amount(check["limit_value"], check["unit"])
    if check["name"] == "DUPLICATE_IMAGE":
        return f"under {words}"
    if check["name"] == "BOUNDARY_CHECK":
        return "inside"
    return f"up to {words}"


def rules(report: RowMapping, found: Sequence[RowMapping], kinds: Mapping[Any, str]) -> None:
    """The score, and every rule that fired or could not be evaluated, with its message and weight. `kinds` are words by category."""
    score = report["fraud_score"]
    if score is None:
        return
    looked_at = [rule for rule in found if rule["outcome"] != "SKIPPED"]
    told = [rule for rule in looked_at if rule["outcome"] in {"FIRED", "ERROR"}]
    fired = sum(rule["outcome"] == "FIRED" for rule in looked_at)
    level = str(report["risk_level"] or "")
    part("Risk", f"{len(looked_at)} rules looked at, {fired} fired")
    verdict = RECOMMENDATIONS.get(report["recommendation"], formats.words(report["recommendation"]))
    badge = mark(f"{score} of 100 · {formats.words(level)}", RISK_COLOURS.get(level, "gray"))
    st.html(f'<div class="tray-says">{badge} {escape(verdict)}</div>')
    if not told:
        return
    lines = "".join(_rule(rule, kinds) for rule in told)
    st.html(
        '<table class="facts checks"><thead><tr><th scope="col">Rule that fired</th><th scope="col">Weight</th>'
        f'<th scope="col">Kind</th></tr></thead><tbody>{lines}</tbody></table>'
    )


def _rule(rule: RowMapping, kinds: Mapping[Any, str]) -> str:
    weight = "not evaluated" if rule["outcome"] == "ERROR" else f"+{rule['score']}"
    return (
        f'<tr><th scope="row">{escape(rule["message"])}</th><td class="num">{escape(weight)}</td>'
        f'<td class="why">{escape(kinds.get(rule["category"]) or formats.words(rule["category"]))}</td></tr>'
    )
