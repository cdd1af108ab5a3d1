"""A stand-in for the payout provider, RazorpayX: a process of its own, with its own books, its own clock and its own faults.

It answers HTTP as the provider does (ids, dedup, error texts, idempotency, queueing, signed webhooks, statement) and
keeps its journal in the Postgres schema `sandbox`. It may not import anything of the product: what the two know of each
other goes over the wire. Nothing it pays is money; everything that shows its data labels it "sandbox".

    python -m pipeline.payouts.sandbox --port 8503 --role app_worker --webhook-url http://127.0.0.1:8502/webhook/v1/razorpay

Beside `/v1/…` the same loopback port serves `/_sandbox/…`, what the provider's test dashboard and a fault injector would be:
`health`, `status`, `journal/{kind}`, `settings`, `clock`, `faults`, `funds`, `balance`, `payouts/{id}`, `webhooks/redeliver`,
`settle`, `reset`; see `control.py`.

The outcome of a payout is chosen by its VPA. These names are our own invention, the provider documents none. A name counts
when the handle is `sandbox` and the part before it is the name, or ends with a dot and the name: `fails.vpa.invalid@sandbox`,
`ravi.fails.vpa.invalid@sandbox`. Every other VPA, of whatever handle, is paid.

=========================  ==========================================================================================
fails.vpa.invalid          failed, beneficiary_vpa_invalid: the address must be corrected
fails.bank.offline         failed, beneficiary_bank_offline: worth a retry
fails.psp.offline          failed, beneficiary_psp_offline: worth a retry
fails.npci.timeout         failed, npci_beneficiary_timeout: worth a retry
fails.gateway.down         failed, gateway_down: worth a retry
fails.bank.rejected        failed, beneficiary_bank_rejected: no automatic retry
fails.account.frozen       failed, bank_account_frozen: no automatic retry
fails.limit.exceeded       failed, transaction_limit_exceeded: no automatic retry
fails.server.error         failed, server_error: contact support
fails.unlisted.reason      failed, for a reason that no documentation lists
fails.once                 the first payout to this fund account fails (beneficiary_bank_offline), later ones are paid
reversed                   reversed instead of processed
reversed.after.processed   processed, and later reversed
failed.then.reversed       failed with the money still out, and later reversed
utr.late                   processed without UTR; the UTR comes later in payout.updated
queued.gateway.degraded    put into the queue for a while (gateway_degraded), then paid
stuck                      stays processing until a person moves it
validation.fails           paid, but a validation of this VPA ends as failed
=========================  ==========================================================================================
"""
