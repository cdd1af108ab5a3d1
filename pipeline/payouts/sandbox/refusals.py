"""What the provider says when it refuses: one exception, and its exact sentences where they are known.

The sentences marked "ours" are not documented by the provider; clients may rely on the HTTP status and the code only.
"""

from typing import Any

NOT_FOUND_URL = "The requested URL was not found on the server."
UNKNOWN_ID = "The id provided does not exist"
AUTHENTICATION_FAILED = "Authentication failed"
IP_REFUSED = "Transactions from this IP are not allowed. Contact support for help."
THROTTLED = "Throttling Error"
TROUBLE = "We are facing some trouble completing your request at the moment. Please try again shortly."
KEY_MISSING = "Idempotency key is missing. Include idempotency header and key in the request."
KEY_REUSED = "Different request body sent for the same Idempotency Header"
KEY_ILLEGAL = "The idempotency key must have 4 to 36 letters, digits, hyphens, underscores or spaces."  # ours
KEY_IN_FLIGHT = "A request with the same idempotency key is still in progress."  # ours
LOW_BALANCE = "Your account does not have enough balance to carry out the payout operation."
WRONG_ACCOUNT = "The RazorpayX Account number is invalid."
BAD_JSON = "The request body is not a valid JSON object."  # ours
INACTIVE_FUND_ACCOUNT = "Payouts cannot be made to an inactive fund account."  # ours
INACTIVE_CONTACT = "Payouts cannot be made to an inactive contact."  # ours
NOT_CANCELLABLE = "Only a payout in queued status can be cancelled."  # ours


class RefusedError(Exception):
    """An answer that is an error object. `reason` may be the text "null", as the provider sends it in one place."""

    def __init__(
        self,
        description: str,
        *,
        field: str | None = None,
        status: int = 400,
        code: str = "BAD_REQUEST_ERROR",
        reason: str | None = "input_validation_failed",
        source: str | None = "business",
        step: str | None = None,
    ) -> None:
        super().__init__(description)
        self.status = status
        self.body: dict[str, Any] = {
            "error": {
                "code": code,
                "description": description,
                "source": source,
                "step": step,
                "reason": reason,
                "metadata": {},
            }
        }
        if field is not None:
            self.body["error"]["field"] = field


def bad_url() -> RefusedError:
    return RefusedError(NOT_FOUND_URL, reason=None, source="NA", step="NA")


def unauthorized() -> RefusedError:
    return RefusedError(AUTHENTICATION_FAILED, status=401, reason="authentication_failed", source="NA", step="NA")


def ip_refused() -> RefusedError:
    return RefusedError(IP_REFUSED, reason=None)


def throttled() -> RefusedError:
    return RefusedError(THROTTLED, status=429, reason=None, source="NA", step="NA")


def trouble() -> RefusedError:
    return RefusedError(TROUBLE, status=500, code="SERVER_ERROR", reason="server_error", source="internal", step="NA")


def key_missing() -> RefusedError:
    return RefusedError(KEY_MISSING, field="X-Payout-Idempotency", reason="null", step="null")
