"""QUALITY_CLASSIFIER: documents can be opened, and how well the captures went. Biometrics stay what they are: bytes nobody here opens."""

from typing import Any

from pipeline.identity.packet.manager import Packet
from pipeline.identity.stages.base import Context, Failed, Message, Passed, Verdict
from pipeline.masterdata.identity_models import IdSchema, QualityRule

PDF = b"%PDF-"


def run(ctx: Context) -> Verdict:
    """A document that is no PDF fails the packet; many forced captures only lower its level, for a pause rule to look at."""
    one = ctx.registration
    asked = (Message("22/04"),)
    schema = ctx.md.id_schemas(one.tenant_id)[one.schema_version]
    documents = {field.name: ctx.packet.document(field.name) for field in schema.fields if field.kind == "DOCUMENT"}
    brought = {name: data for name, data in documents.items() if data is not None}
    bad = [name for name, data in brought.items() if not data.startswith(PDF)]
    if bad:
        return Failed("DOCUMENT_UNREADABLE", f"{', '.join(bad)}: not a PDF"[:500], {"documents": bad}, asked)
    size = biometric_bytes(schema, ctx.packet)
    if size is not None and size < ctx.rules.quality.min_biometric_bytes:
        return Failed("BIOMETRICS_UNUSABLE", f"the biometrics file has {size} bytes", {"biometricBytes": size}, asked)
    share = forced_share(ctx.packet.meta())
    details = {"documents": len(brought), "biometricBytes": size, "forcedShare": share, "biometricLevel": level(ctx.rules.quality, share)}
    return Passed("QUALITY_CLASSIFIED", details, asked)


def level(rule: QualityRule, share: float) -> str:
    """HIGH: nothing was forced. LOW: more than the rule allows."""
    if share == 0:
        return "HIGH"
    return "LOW" if share > rule.max_forced_share else "MEDIUM"


def biometric_bytes(schema: IdSchema, packet: Packet) -> int | None:
    """How large the biometrics file is; None when the schema knows none or there is none."""
    names = [field.name for field in schema.fields if field.kind == "BIOMETRICS"]
    found = [data for name in names if (data := packet.document(name)) is not None]
    return sum(map(len, found)) if found else None


def forced_share(meta: dict[str, Any]) -> float:
    """The share of the person's captures that the operator had to force; 0 when the meta info speaks of none."""
    biometrics = meta.get("biometrics")
    applicant = biometrics.get("applicant") if isinstance(biometrics, dict) else None
    captures = [entry for entry in applicant.values() if isinstance(entry, dict)] if isinstance(applicant, dict) else []
    if not captures:
        return 0.0
    return round(sum(entry.get("forceCaptured") is True for entry in captures) / len(captures), 3)
