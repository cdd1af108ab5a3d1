"""FINALIZATION: the identity is published in the repository, with its handles, and a credential is asked for each number and partner."""

from pipeline.identity.idrepo.store import publish
from pipeline.identity.stages.base import Context, Failed, Message, Passed, Verdict


def run(ctx: Context) -> Verdict:
    """A handle that is another person's fails the packet: its client corrects it and sends it again."""
    one = ctx.registration
    schema = ctx.md.id_schemas(one.tenant_id)[one.schema_version]
    handles = [value for name in schema.handle_fields if isinstance(value := ctx.packet.field(name), str)]
    published = publish(ctx.conn, ctx.numbers, ctx.md.partners(one.tenant_id), one.id, handles, ctx.now)
    if published is None:
        return Failed("HANDLE_TAKEN", "the handle belongs to another person", {"handles": len(handles)})
    asked = tuple(Message("23/01", request_id) for request_id in published.requests)
    details = {"identityId": str(published.identity_id), "requests": len(published.requests), "handles": len(handles)}
    return Passed("IDENTITY_STORED", details, (Message("22/05", published.identity_id), *asked))
