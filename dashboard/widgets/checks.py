"""What the automatic checks measured, and which fraud rules fired: for people who decide, in words."""

from collections.abc import Sequence

import streamlit as st
from sqlalchemy import RowMapping

from dashboard import formats
from dashboard.widgets.rows import escape, mark, part
from pipeline.fraud.scoring import MAX_SCORE
from pipeline.masterdata.fraud_models import RiskConfig

NAMES: dict[str, str] = {
    "GPS_LOCATION": "Place of the photo",
    "TIMESTAMP_FRESHNESS": "Age of the photo",
    "BOUNDARY_CHECK": "Inside the area",
    "DUPLICATE_IMAGE": "Not sent before",
    "FRAUD_SCORE": "Risk score",
}
RISK_COLOURS = {"LOW": "green", "MEDIUM": "blue", "HIGH": "orange", "CRITICAL": "red"}
FINDINGS: dict[str, str] = {
    "PIN_FAR_FROM_DEVICE": "Pin far from the phone",
    "HASH_DIFFERS": "Not the file that was announced",
    "TIME_DIFFERS": "Two times of one photo",
    "EXIF_TIMES_DIFFER": "Camera and satellite time differ",
    "PLACE_DIFFERS": "Two places of one photo",
    "DEVICE_DIFFERS": "Another phone than announced",
    "NO_EXIF": "No camera data",
    "NO_EXIF_GPS": "No place in the photo",
    "EDITED_BY_SOFTWARE": "Edited",
    "NO_FACE": "No face found",
    "SEVERAL_FACES": "Several faces",
    "SELFIE_FAR_FROM_PHOTO": "Selfie taken elsewhere",
    "SELFIE_NOT_AT_THE_TIME": "Selfie taken at another time",
}
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
    notes = [_why(check)]
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


def _why(check: RowMapping) -> str:
    """The check's own reason; the score's is told by its parts below."""
    if check["name"] != "FRAUD_SCORE":
        return str(check["reason"])
    level = formats.words(check["details"].get("riskLevel"))
    verdict = RECOMMENDATIONS.get(check["details"].get("recommendation", ""), "")
    return f"{level} risk: {verdict[:1].lower()}{verdict[1:]}" if verdict else str(check["reason"])


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


def rules(evaluation: RowMapping | None, found: Sequence[RowMapping], config: RiskConfig) -> None:
    """The score as a sum that can be read: what each fired rule measured and added, what could not be looked at, and the limits."""
    if evaluation is None:
        return
    fired = [rule for rule in found if rule["outcome"] == "FIRED"]
    failed = [rule for rule in found if rule["outcome"] == "ERROR"]
    skipped = [rule for rule in found if rule["outcome"] == "SKIPPED"]
    level = str(evaluation["risk_level"])
    part("Risk", f"{evaluation['rules_looked_at']} rules looked at, {len(fired)} fired, version {evaluation['rules_version']}")
    verdict = RECOMMENDATIONS.get(evaluation["recommendation"], formats.words(evaluation["recommendation"]))
    badge = mark(f"{evaluation['score']} of 100 · {formats.words(level)}", RISK_COLOURS.get(level, "gray"))
    st.html(f'<div class="tray-says">{badge} {escape(verdict)}. {escape(_sum(fired, evaluation["score"], config))}</div>')
    if fired or failed:
        lines = "".join(_rule(rule, config) for rule in (*fired, *failed))
        st.html(
            '<table class="facts checks"><thead><tr><th scope="col">Rule that fired</th><th scope="col">Points</th>'
            f'<th scope="col">Why</th></tr></thead><tbody>{lines}</tbody></table>'
        )
    if skipped:
        st.caption(_skipped(skipped))


def findings(evaluation: RowMapping | None) -> None:
    """What does not fit together, for the person who decides; none of it adds to the score."""
    found = [] if evaluation is None else evaluation["findings"]
    if not found:
        return
    part("Findings", "what does not fit together; no points")
    named = [(FINDINGS.get(one["code"]) or formats.words(one["code"]), one["reason"]) for one in found]
    lines = "".join(f'<tr><th scope="row">{escape(name)}</th><td class="why">{escape(reason)}</td></tr>' for name, reason in named)
    st.html(f'<table class="facts checks"><tbody>{lines}</tbody></table>')


def _sum(fired: Sequence[RowMapping], score: int, config: RiskConfig) -> str:
    """How the score came about, in words."""
    counted = [rule["score"] for rule in fired if rule["score"]]
    limits = f"Up to {config.approve_threshold} nothing speaks against it, above {config.auto_reject_threshold} it is rejected."
    if not counted:
        return limits
    added = " + ".join(f"{points:g}" for points in counted)
    exact = f"{sum(counted):g}"
    rounded = "" if exact == str(score) else f", rounded {score}" if sum(counted) < MAX_SCORE else f", at most {MAX_SCORE}"
    return f"{added} = {exact}{rounded}. {limits}" if len(counted) > 1 or counted[0] != score else limits


def _rule(rule: RowMapping, config: RiskConfig) -> str:
    kind = config.category_descriptions.get(rule["category"]) or formats.words(rule["category"])
    if rule["outcome"] == "ERROR":
        points, notes = "none", [str(rule["message"]).capitalize(), "so a person has to look"]
    else:
        points, notes = f"+{rule['score']:g}", [str(rule["message"])]
        if not rule["score"]:
            notes.append("told only" if not rule["weight"] else "counted once with a heavier rule of its kind")
        if rule["rejects"]:
            notes.append("rejects by itself")
    return (
        f'<tr><th scope="row">{escape(rule["rule_name"] or formats.words(rule["rule_code"]))}</th><td class="num">{escape(points)}</td>'
        f'<td class="why">{escape("; ".join(notes))}. {escape(kind)}.</td></tr>'
    )


def _skipped(skipped: Sequence[RowMapping]) -> str:
    """Rules that nothing was looked at for, by reason."""
    by_reason: dict[str, int] = {}
    for rule in skipped:
        by_reason[str(rule["message"])] = by_reason.get(str(rule["message"]), 0) + 1
    told = "; ".join(f"{formats.plain_markdown(reason)} ({count})" for reason, count in sorted(by_reason.items()))
    return f"{len(skipped)} rules were skipped and count nothing: {told}."
