"""The fields of a rule as widgets, made from the model of its condition, and read back into the rule's content.

A field that is as it was adds nothing to the content, so that a draft's difference is what a person changed.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import streamlit as st

from dashboard import formats
from dashboard.widgets import fraud_words as words
from pipeline.fraud.editing.vocabulary import FIELDS, LIMITS, TEXTS
from pipeline.masterdata.base import Strict
from pipeline.masterdata.fraud_models import Condition, RiskConfig

Kind = Literal["whole", "share", "yes", "text", "long", "choice", "windows"]
SPARE_WINDOWS = 1  # empty lines for more hours
WINDOWS_MAX = 6

MODELS: Mapping[str, type[Strict]] = {
    get_args(model.model_fields["type"].annotation)[0]: model for model in get_args(get_args(Condition)[0])
}


@dataclass(frozen=True)
class Field:
    """One field of a rule: where it is in the content, how it is asked, and what it may be."""

    path: str
    kind: Kind
    label: str
    needed: bool = True  # may not be left empty
    least: float | None = None
    most: float | None = None
    options: tuple[str, ...] = ()
    missing: Any = None  # what the field means when it is not there


def rule_fields(config: RiskConfig, roles: Sequence[str]) -> list[Field]:
    """What every rule has besides its condition."""
    return [
        Field("name", "text", words.field("name"), most=TEXTS["name"]),
        Field("description", "long", words.field("description"), most=TEXTS["description"]),
        Field("category", "choice", words.field("category"), options=tuple(config.weights)),
        Field("severity", "choice", words.field("severity"), options=tuple(words.SEVERITIES)),
        Field("weight", "whole", words.field("weight"), needed=False, least=0, most=100),
        Field("action.type", "choice", words.field("action.type"), options=tuple(words.ACTIONS)),
        Field("action.escalate", "yes", words.field("action.escalate"), missing=False),
        Field("action.escalateToRole", "choice", words.field("action.escalateToRole"), needed=False, options=tuple(roles)),
        Field("action.notifyApplicant", "yes", words.field("action.notifyApplicant"), missing=False),
        Field("action.notifyVerifier", "yes", words.field("action.notifyVerifier"), missing=False),
        Field("action.message", "text", words.field("action.message"), needed=False, most=TEXTS["message"]),
    ]


def condition_fields(condition: Mapping[str, Any], validators: Sequence[str]) -> list[Field]:
    """What the condition of this type is made of, from its model."""
    kind = str(condition["type"])
    found = []
    for name, info in MODELS[kind].model_fields.items():
        key = info.alias or name
        if key == "type":
            continue
        path, label = f"condition.{key}", words.field(f"condition.{key}", kind)
        annotation, needed = _plain(info.annotation)
        least, most = _limits(info.metadata, whole=annotation is int)
        most = min(most, LIMITS[key]) if key in LIMITS and most is not None else LIMITS.get(key, most)
        if key in FIELDS.get(kind, {}):
            found.append(Field(path, "choice", label, options=tuple(FIELDS[kind][key])))
        elif key == "validatorId":
            found.append(Field(path, "choice", label, options=tuple(validators)))
        elif get_origin(annotation) is Literal:
            found.append(Field(path, "choice", label, options=tuple(str(one) for one in get_args(annotation))))
        elif annotation is bool or (key == "expectedValue" and isinstance(condition.get(key, True), bool)):
            found.append(Field(path, "yes", label, missing=info.default if not info.is_required() else None))
        elif annotation is int:
            found.append(Field(path, "whole", label, needed=needed, least=least, most=most))
        elif annotation is float:
            found.append(Field(path, "share", label, needed=needed, least=0.0, most=1.0))
        elif get_origin(annotation) is tuple:
            found.append(Field(path, "windows", label))
        else:
            found.append(Field(path, "long" if key in TEXTS else "text", label, needed=needed, most=TEXTS.get(key, 200)))
    return found


def blank(kind: str, rule_id: str, validators: Sequence[str]) -> dict[str, Any]:
    """A new rule that looks for this: what must be there is there, with the mildest values."""
    condition: dict[str, Any] = {"type": kind}
    for field in condition_fields(condition, validators):
        if not field.needed or field.missing is not None:
            continue
        first: Any = field.options[0] if field.options else {"whole": int(field.least or 1), "share": 0.95, "yes": True}.get(field.kind, "")
        if field.kind == "windows":
            first = [{"start": "07:00", "end": "18:00", "days": ["MON", "TUE", "WED", "THU", "FRI"]}]
        put(condition, field.path.removeprefix("condition."), first)
    return {
        "id": rule_id,
        "code": "",
        "name": "",
        "description": "",
        "category": "DQ",
        "severity": "LOW",
        "ruleType": "EXTERNAL" if kind == "EXTERNAL_VALIDATOR" else "INTERNAL",
        "enabled": True,
        "applicableModules": ["SDCRS"],
        "condition": condition,
        "action": {"type": "FLAG", "autoReject": False},
    }


def ask(field: Field, content: Mapping[str, Any], prefix: str, config: RiskConfig) -> None:
    """The field's widget, showing what the content says."""
    key, now = f"{prefix}.{field.path}", get(content, field.path)
    match field.kind:
        case "whole":
            least = None if field.least is None else int(field.least)
            most = None if field.most is None else int(field.most)
            st.number_input(field.label, min_value=least, max_value=most, value=now, step=1, key=key, placeholder=_empty(field))
        case "share":
            st.number_input(
                field.label,
                min_value=0.0,
                max_value=1.0,
                value=None if now is None else float(now),
                step=0.01,
                key=key,
                placeholder="not asked",
            )
        case "yes":
            st.toggle(field.label, value=bool(field.missing if now is None else now), key=key)
        case "text":
            st.text_input(field.label, value=now or "", key=key, max_chars=int(field.most or 200))
        case "long":
            st.text_area(field.label, value=now or "", key=key, max_chars=int(field.most or 500), height=80)
        case "choice":
            options = field.options if now is None or now in field.options else (now, *field.options)
            st.selectbox(
                field.label,
                options,
                index=options.index(now) if now in options else 0 if field.needed else None,
                key=key,
                format_func=lambda one: _choice(field.path, one, config),
                placeholder="as the programme says",
            )
        case "windows":
            _ask_windows(field, now or [], key)


def read(fields: Sequence[Field], content: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The content with what the widgets say now."""
    changed = copy.deepcopy(dict(content))
    for field in fields:
        key, before = f"{prefix}.{field.path}", get(content, field.path)
        if field.kind == "windows":
            after: Any = _read_windows(key)
        elif key not in st.session_state:
            continue
        else:
            after = st.session_state[key]
            if isinstance(after, str):
                after = after.strip() or ("" if field.needed else None)
        if before is None and after == field.missing:
            continue
        if after != before:
            put(changed, field.path, after)
    return changed


def get(content: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; None where there is none."""
    part: Any = content
    for step in path.split("."):
        part = part.get(step) if isinstance(part, Mapping) else None
    return part


def put(content: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at a dotted path; None takes the key away."""
    *way, last = path.split(".")
    part = content
    for step in way:
        part = part[step]
    if value is None:
        part.pop(last, None)
    else:
        part[last] = value


def _choice(path: str, option: str, config: RiskConfig) -> str:
    if path == "category":
        return next(words for code, words in config.category_descriptions.items() if code == option)
    return formats.words(option) if path == "condition.boundaryType" else words.value(path, option)


def _empty(field: Field) -> str:
    return "by kind and severity" if field.path == "weight" else "without limit"


def _ask_windows(field: Field, now: Sequence[Mapping[str, Any]], key: str) -> None:
    st.caption(f"{field.label}; a line without days is left out")
    for n in range(min(len(now) + SPARE_WINDOWS, WINDOWS_MAX)):
        one: Mapping[str, Any] = now[n] if n < len(now) else {"days": [], "start": "07:00", "end": "18:00"}
        days, start, end = st.columns([3, 1, 1])
        days.multiselect(
            f"Days, line {n + 1}", list(words.DAYS), default=one["days"], key=f"{key}.{n}.days", format_func=words.DAYS.__getitem__
        )
        start.time_input(f"From, line {n + 1}", value=time.fromisoformat(one["start"]), key=f"{key}.{n}.start", step=900)
        end.time_input(f"To, line {n + 1}", value=time.fromisoformat(one["end"]), key=f"{key}.{n}.end", step=900)


def _read_windows(key: str) -> list[dict[str, Any]]:
    found = []
    for n in range(WINDOWS_MAX):
        days = st.session_state.get(f"{key}.{n}.days")
        if days:
            start, end = st.session_state[f"{key}.{n}.start"], st.session_state[f"{key}.{n}.end"]
            ordered = [day for day in words.DAYS if day in days]
            found.append({"start": f"{start:%H:%M}", "end": f"{end:%H:%M}", "days": ordered})
    return found


def _plain(annotation: Any) -> tuple[Any, bool]:
    """A type without its None, and whether it had none."""
    parts = [one for one in get_args(annotation) if one is not NoneType]
    if NoneType in get_args(annotation) and len(parts) == 1:
        return parts[0], False
    return annotation, True


def _limits(metadata: Sequence[Any], *, whole: bool) -> tuple[float | None, float | None]:
    least: float | None = None
    most: float | None = None
    for one in metadata:
        if hasattr(one, "gt"):
            least = one.gt + (1 if whole else 0)
        if hasattr(one, "ge"):
            least = one.ge
        if hasattr(one, "le"):
            most = one.le
    return least, most
