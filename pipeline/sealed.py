"""Every sealed column of every room, besides the vault's own: what a rotation of keys goes through. A test finds one that is left out."""

from pipeline.vault.rotation import Sealed

SEALED = (
    Sealed("payout.fund_account", "vpa_sealed", "payout.vpa", "id"),
    Sealed("payout.fund_account", "registered_sealed", "payout.registered", "id"),
    Sealed("payout.attempt", "request_sealed", "payout.request", "reference_id"),
    Sealed("payout.webhook_event", "sealed", "payout.webhook", "event_id"),
    Sealed("payout.payee_number", "uin_sealed", "payout.uin", "id"),
    Sealed("regprc.demographic", "demographics_sealed", "regprc.demographics", "id"),
    Sealed("idrepo.identity", "demographics_sealed", "idrepo.demographics", "id"),
    Sealed("idrepo.identifier", "id_sealed", "idrepo.identifier", "id"),
    Sealed("credential.credential_transaction", "request_sealed", "credential.request", "id"),
    Sealed("websub.subscription", "secret_sealed", "websub.secret", "id"),
    Sealed("websub.subscription", "wanted_secret_sealed", "websub.secret", "id"),
    Sealed("ida.identity_cache", "demo_data_sealed", "ida.demographics", "id", key_type="text"),
)
