"""VALIDATOR: the fields have the form that the schema asks for, the age can be, and the documents for that age are there."""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pipeline.clock import local_day
from pipeline.identity.stages.base import Context, Failed, Message, Passed, Verdict
from pipeline.masterdata.identity_models import IdField, IdSchema

DATE_FORMAT = "%Y/%m/%d"  # as registration clients write dates
ADULT_FROM = 18  # years; shown in the details, the mandatory documents have bounds of their own
BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # they make a text read otherwise than it is
MAX_SHOWN = 20  # problems in the details of a transaction


@dataclass(frozen=True)
class Problem:
    """What is wrong with which field. Never with which value."""

    code: str
    field: str


def run(ctx: Context) -> Verdict:
    """All problems are found at once; the first one's code is the sub-status."""
    one = ctx.registration
    asked = (Message("22/03"), Message("22/04"))
    schema = ctx.md.id_schemas(one.tenant_id).get(one.schema_version)
    fields = ctx.packet.fields()
    if schema is None or str(fields.get("IDSchemaVersion")) != one.schema_version:
        return Failed("SCHEMA_UNKNOWN", f"schema {one.schema_version} is not this packet's or not known", {}, asked)
    today = local_day(one.received_at, ctx.md.tenant(one.tenant_id).timezone)
    age = age_of(fields.get("dateOfBirth"), today)
    problems = list(check_fields(schema, fields, age))
    if age is not None:
        brought = {name for name in schema.by_name if schema.by_name[name].kind == "DOCUMENT" and ctx.packet.document(name) is not None}
        problems += [Problem("DOCUMENT_MISSING", name) for name in sorted(schema.documents_for(age) - brought)]
    biometrics = [field.name for field in schema.fields if field.kind == "BIOMETRICS" and field.required]
    problems += [Problem("FIELD_MISSING", name) for name in biometrics if name in fields and ctx.packet.document(name) is None]
    if problems:
        shown = [{"code": problem.code, "field": problem.field} for problem in problems[:MAX_SHOWN]]
        said = ", ".join(f"{problem.field} ({problem.code.lower().replace('_', ' ')})" for problem in problems[:MAX_SHOWN])
        return Failed(problems[0].code, said[:500], {"problems": shown}, asked)
    return Passed("FIELDS_VALID", {"fields": len(fields), "adult": age is not None and age >= ADULT_FROM}, asked)


def check_fields(schema: IdSchema, fields: Mapping[str, Any], age: int | None) -> Iterator[Problem]:
    """The problems of ID.json by itself, in the schema's order."""
    for field in schema.fields:
        value = fields.get(field.name)
        if value is None:
            if field.required:
                yield Problem("FIELD_MISSING", field.name)
        elif not _fits(schema, field, value):
            yield Problem("FIELD_INVALID", field.name)
    if age is not None and not 0 <= age <= schema.max_age:
        yield Problem("AGE_INVALID", "dateOfBirth")
    for name in fields:
        if name not in schema.by_name:
            yield Problem("FIELD_UNKNOWN", name if name.isascii() and name.isalnum() and len(name) <= 64 else "a field")


def age_of(written: Any, today: date) -> int | None:
    """Full years at a day, below 0 for a day to come; None when it is no date."""
    born = birth_date(written)
    if born is None:
        return None
    if born > today:
        return -1
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def birth_date(written: Any) -> date | None:
    """A date as packets write it; None for anything else."""
    if not isinstance(written, str) or len(written) != 10:
        return None
    try:
        return datetime.strptime(written, DATE_FORMAT).date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        return None


def _fits(schema: IdSchema, field: IdField, value: Any) -> bool:
    if field.kind == "NUMBER":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if field.kind == "DATE":
        return birth_date(value) is not None
    if field.kind == "TEXT":
        return isinstance(value, str) and _text_fits(field, value)
    if field.kind in ("DOCUMENT", "BIOMETRICS"):
        named = value.get("value") if isinstance(value, dict) else None
        return isinstance(named, str) and 0 < len(named) <= field.max_length
    return _localised_fits(schema, field, value)


def _localised_fits(schema: IdSchema, field: IdField, value: Any) -> bool:
    """A text in each of some known languages, the first one among them, none twice."""
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        return False
    texts = {entry.get("language"): entry.get("value") for entry in value}
    if len(texts) != len(value) or schema.languages[0] not in texts or not set(texts) <= set(schema.languages):
        return False
    return all(isinstance(word, str) and _text_fits(field, word) for word in texts.values())


def _text_fits(field: IdField, value: str) -> bool:
    if not value.strip() or len(value) > field.max_length or not _clean(value):
        return False
    if field.values and value not in field.values:
        return False
    return field.regex is None or field.regex.fullmatch(value) is not None


def _clean(value: str) -> bool:
    """Nothing that no screen should meet; joiners stay, some scripts write names with them."""
    return not any(unicodedata.category(character) in ("Cc", "Cs") or character in BIDI for character in value)
