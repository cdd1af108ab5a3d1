"""UIN_GENERATION: the person gets a number that nobody can guess, and the repository a draft of the identity."""

from pipeline.identity.idrepo.store import DEMOGRAPHIC_KINDS, Draft, draft
from pipeline.identity.stages.base import Context, Message, Passed, Verdict


def run(ctx: Context) -> Verdict:
    """A registration that has a number keeps it, however often it begins anew."""
    one = ctx.registration
    schema = ctx.md.id_schemas(one.tenant_id)[one.schema_version]
    fields = ctx.packet.fields()
    wanted = {field.name: fields[field.name] for field in schema.fields if field.kind in DEMOGRAPHIC_KINDS and field.name in fields}
    biometrics = next((field.name for field in schema.fields if field.kind == "BIOMETRICS" and field.name in fields), None)
    holder = None if biometrics is None else ctx.packet.holder(biometrics)
    made = draft(
        ctx.conn,
        ctx.rt,
        ctx.numbers,
        ctx.rules.numbers,
        Draft(
            registration_id=one.id,
            tenant_id=one.tenant_id,
            state_id=one.state_id,
            demographics=wanted,
            biometrics_file_id=None if holder is None else ctx.packet.parts[holder].id,
        ),
        ctx.now,
    )
    return Passed("UIN_GENERATED", {"identityId": str(made.identity_id), "new": made.new}, (Message("22/04", made.identity_id),))
