"""Drawing packets from recorded facts: pure functions, one for each renderer that the catalogue names.

What a packet says is what was recorded, cut to what the reader may see; nothing is read or written here, and no rule of
the programme is decided.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pipeline.packets.catalogue import get
from pipeline.packets.render import actions, checks, login, messages, payout, provider, reading, submission
from pipeline.packets.render.facts import RecordedFacts, View

Renderer = Callable[[RecordedFacts], dict[str, Any]]

PUBLIC_PACKETS = frozenset({"10/03"})  # tracking is all that the public is told


def render(packet_id: str, facts: RecordedFacts) -> dict[str, Any]:
    """The body of a packet: an exchange as {request, response}, a message as its value, anything else as it is on the wire.

    Raises KeyError for an id that is not in the catalogue or is of a flow that renders nothing, ValueError when the public
    asks for more than tracking.
    """
    if facts.view is View.PUBLIC and packet_id not in PUBLIC_PACKETS:
        raise ValueError(f"{packet_id} is not for the public")
    renderer = get(packet_id).renderer
    if renderer is None:
        raise KeyError(packet_id)
    return RENDERERS[renderer](replace(facts, packet_id=packet_id))


_FUNCTIONS: tuple[Renderer, ...] = (
    login.auth_url_request,
    login.auth_url_response,
    login.hrms_redirect,
    login.token_exchange_request,
    login.hrms_token_request,
    login.hrms_token_response,
    login.id_token_decoded,
    login.user_search_request,
    login.user_search_response,
    login.user_write_request,
    login.token_response,
    login.login_app_state,
    submission.photo_capture,
    submission.photo_extracted,
    submission.selfie_capture,
    submission.form_data,
    submission.upload_request,
    submission.upload_response,
    submission.create_request,
    submission.create_response,
    submission.refused_create,
    messages.persister_message,
    messages.update_message,
    messages.indexer_message,
    messages.notification_trigger,
    messages.sms_message,
    messages.validation_trigger,
    checks.gps_check,
    checks.timestamp_check,
    checks.boundary_check,
    checks.duplicate_check,
    checks.fraud_request,
    checks.fraud_response,
    checks.validation_result,
    checks.rejection_detail,
    actions.update_exchange,
    actions.retry_request,
    actions.retry_response,
    actions.transition_request,
    payout.payout_trigger,
    payout.payout_record,
    payout.payout_status,
    payout.payout_error,
    payout.payout_callback,
    provider.contact_exchange,
    provider.fund_account_exchange,
    provider.payout_request,
    provider.payout_response,
    provider.payout_webhook,
    provider.low_balance,
    reading.search_exchange,
    reading.detail_exchange,
    reading.track_exchange,
    reading.officers_exchange,
    reading.index_search,
    reading.visit_app_state,
)

RENDERERS: dict[str, Renderer] = {function.__name__: function for function in _FUNCTIONS}
