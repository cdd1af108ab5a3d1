"""Every sealed column of every room, besides the vault's own: what a rotation of keys goes through. A test finds one that is left out."""

from pipeline.vault.rotation import Sealed

SEALED = (
    Sealed("payout.fund_account", "vpa_sealed", "payout.vpa", "id"),
    Sealed("payout.fund_account", "registered_sealed", "payout.registered", "id"),
    Sealed("payout.attempt", "request_sealed", "payout.request", "reference_id"),
    Sealed("payout.webhook_event", "sealed", "payout.webhook", "event_id"),
)
