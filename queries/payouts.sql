-- name: placed
-- Every payout with the queue in which a person finds it. STUCK: what the provider took before :stuck_before
-- (pipeline/payouts/polling.py) and has not ended, whatever it waits for, unless an attempt is to be decided.
SELECT o.*, CASE WHEN o.open_since < CAST(:stuck_before AS timestamptz) AND o.phase = 'ACCEPTED'
                      AND o.queue_but_for_age IN ('UNDER_WAY', 'LOW_BALANCE', 'PERSON') THEN 'STUCK' ELSE o.queue_but_for_age END AS queue
FROM payout.overview o

-- name: matching
-- The one predicate of list, counts, export and retry. Filters that are NULL do not narrow; `tenants` besides the caller's scope,
-- `from_at` and `to_at` of creation, inclusive.
SELECT p.* FROM placed p
WHERE (CAST(:tenants AS text[]) IS NULL OR p.tenant_id = ANY (CAST(:tenants AS text[])))
  AND (CAST(:payout_ids AS uuid[]) IS NULL OR p.id = ANY (CAST(:payout_ids AS uuid[])))
  AND (CAST(:statuses AS text[]) IS NULL OR p.status = ANY (CAST(:statuses AS text[])))
  AND (CAST(:queue AS text) IS NULL OR p.queue = :queue)
  AND (CAST(:queue AS text) IS NULL OR :queue = 'DONE' OR p.status <> 'COMPLETED' OR (:queue = 'PERSON' AND p.needs_person IS NOT NULL))
  AND (CAST(:reason AS text) IS NULL OR coalesce(p.failure_reason, p.reason) = :reason)
  AND (CAST(:teachers AS uuid[]) IS NULL OR p.beneficiary_id = ANY (CAST(:teachers AS uuid[])))
  AND (CAST(:from_at AS timestamptz) IS NULL OR p.created_at >= :from_at)
  AND (CAST(:to_at AS timestamptz) IS NULL OR p.created_at <= :to_at)

-- name: list
-- A page of the payouts that match, newest first: payout, the attempt that counts, and its queue.
-- with: placed
-- with: matching
SELECT * FROM matching p ORDER BY p.created_at DESC, p.id DESC LIMIT :limit OFFSET :offset

-- name: count
-- One row: how many payouts the same filters find, counted up to :count_limit, and their sum.
-- with: placed
-- with: matching
SELECT count(*) AS payouts, coalesce(sum(amount_paise), 0)::bigint AS amount_paise
FROM (SELECT p.amount_paise FROM matching p LIMIT CAST(:count_limit AS bigint)) counted

-- name: reports
-- The reports of the payouts that match, the one that waits longest first, at most :limit.
-- with: placed
-- with: matching
SELECT p.report_id FROM matching p ORDER BY p.created_at, p.id LIMIT :limit

-- name: export
-- The payouts that match as they go into a file, newest first, at most :limit.
-- with: placed
-- with: matching
SELECT p.report_number, p.tenant_id, p.beneficiary_id, a.username, p.amount_paise, p.manual_amount_paise, p.status, p.queue, p.retry_count,
       coalesce(p.failure_reason, p.reason) AS reason, coalesce(p.failure_text, p.reason_text) AS reason_text, p.needs_person,
       p.reference_id, p.provider_payout_id, p.provider_status, p.utr, p.method, p.manual_reference, p.fees_paise,
       p.created_at, p.first_sent_at, p.completed_at, p.modified_at
FROM matching p LEFT JOIN access.account a ON a.id = p.beneficiary_id
ORDER BY p.created_at DESC, p.id DESC LIMIT :limit

-- name: find
-- The payouts that a text names exactly, as one of our references or as the provider's payout, at most :limit.
SELECT payout_id FROM payout.attempt WHERE reference_id = ANY (CAST(:references AS text[]))
UNION SELECT payout_id FROM payout.attempt WHERE provider_payout_id = CAST(:text AS text)
LIMIT :limit

-- name: find_by_bank_reference
-- The payouts with this bank reference, of the provider or entered by hand, at most :limit.
SELECT payout_id FROM payout.attempt WHERE utr = CAST(:text AS text)
UNION SELECT id FROM payout.payout WHERE utr = CAST(:text AS text) OR manual_reference = CAST(:text AS text)
LIMIT :limit

-- name: teachers
-- The teachers of a state with one of these names for signing in.
SELECT id FROM access.account
WHERE state_id = :state_id AND username = ANY (CAST(:usernames AS text[])) AND 'TEACHER' = ANY (roles) LIMIT 100

-- name: reasons
-- The reasons of what is not paid, one row a reason, at most 100.
SELECT coalesce(failure_reason, reason) AS reason, count(*) AS payouts
FROM payout.overview WHERE status <> 'COMPLETED' AND coalesce(failure_reason, reason) IS NOT NULL
GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 100

-- name: detail
-- The payout of a report, as in the list; no row when there is none.
-- with: placed
SELECT * FROM placed WHERE report_id = :report_id

-- name: attempts
-- The attempts at one payout in their order, without their requests; `id`, `status` and the rest are the attempt's own.
SELECT a.id, a.payout_id, a.number, a.reference_id, a.idempotency_key, a.phase, a.lease_until, a.sends, a.polls, a.provider_payout_id,
       a.provider_status, a.reason, a.reason_text, a.last_error, a.utr, a.fees_paise, a.tax_paise, a.created_at, a.first_sent_at,
       a.accepted_at, a.next_send_at, a.next_poll_at, a.modified_at, f.provider_contact_id AS contact_id,
       f.provider_fund_account_id AS fund_account
FROM payout.attempt a LEFT JOIN payout.fund_account f ON f.id = a.fund_account_id
WHERE a.payout_id = :payout_id ORDER BY a.number

-- name: ledger
-- The ledger of one payout in its order.
SELECT entry, amount_paise, month, attempt_id, occurred_at FROM payout.ledger WHERE payout_id = :payout_id ORDER BY id

-- name: queues
-- One row per queue that is not empty, of the payouts that match: how many, of how much together, since when the oldest waits.
-- DONE is counted only :with_done, since there are as many as were ever paid.
-- with: placed
-- with: matching
SELECT queue, count(*) AS payouts, sum(amount_paise)::bigint AS amount_paise, min(created_at) AS oldest_at
FROM (SELECT queue, amount_paise, created_at FROM matching WHERE status <> 'COMPLETED'
      UNION ALL SELECT queue, amount_paise, created_at FROM matching WHERE status = 'COMPLETED' AND needs_person IS NOT NULL
      UNION ALL SELECT queue, amount_paise, created_at FROM matching
                WHERE CAST(:with_done AS boolean) AND status = 'COMPLETED' AND needs_person IS NULL) found
GROUP BY queue ORDER BY queue

-- name: summary
-- One row for the head of the screen. `stuck`: with the provider since before :stuck_before; low balance: what waits for money, and what the account held when asked.
SELECT (SELECT count(*) FROM payout.payout WHERE status IN ('FAILED', 'REVERSED')) AS failed,
       (SELECT count(*) FROM payout.payout WHERE status IN ('INITIATED', 'PROCESSING')) AS pending,
       (SELECT count(*) FROM payout.payout p JOIN payout.attempt a ON a.payout_id = p.id AND a.number = p.retry_count
        WHERE p.status IN ('INITIATED', 'PROCESSING') AND a.accepted_at < :stuck_before) AS stuck,
       (SELECT count(*) FROM payout.attempt WHERE phase IN ('UNKNOWN', 'REVIEW')) AS unresolved,
       (SELECT count(*) FROM payout.payout WHERE manual_requested_at IS NOT NULL AND manual_approved_at IS NULL) AS awaiting_approval,
       (SELECT count(*) FROM payout.payout WHERE needs_person IS NOT NULL) AS needing_person,
       low.payouts AS low_balance_payouts, low.amount_paise AS low_balance_paise,
       s.balance_paise, s.balance_read_at, CASE WHEN s.balance_paise IS NOT NULL THEN greatest(low.amount_paise - s.balance_paise, 0) END AS shortfall_paise,
       CASE WHEN s.paused_until > :now THEN s.paused_until END AS paused_until,
       CASE WHEN s.paused_until > :now THEN s.pause_reason END AS pause_reason
FROM (SELECT count(*) AS payouts, coalesce(sum(p.amount_paise), 0)::bigint AS amount_paise
      FROM payout.attempt a JOIN payout.payout p ON p.id = a.payout_id
      WHERE a.provider_status = 'queued' AND a.reason = 'low_balance') low
LEFT JOIN payout.provider s ON true

-- name: held
-- Captured reports that are not paid for the time being, at most 200, longest waiting first: the teacher's standing is one of
-- :frozen, or the teacher's tenant is one of :verified_only and the teacher is no verified payee (then `standing_frozen` is false).
SELECT r.id AS report_id, r.tenant_id, r.report_number, r.reporter_id AS beneficiary_id, r.captured_at, a.standing, a.standing_until,
    (a.standing = ANY (:frozen) AND (a.standing_until IS NULL OR a.standing_until > :now)) AS standing_frozen
FROM sdcrs.report r JOIN access.account a ON a.id = r.reporter_id
WHERE r.status = 'CAPTURED'
  AND ((a.standing = ANY (:frozen) AND (a.standing_until IS NULL OR a.standing_until > :now))
       OR (a.tenant_id = ANY (CAST(:verified_only AS text[]))
           AND NOT EXISTS (SELECT FROM payout.payee y WHERE y.account_id = a.id AND y.status = 'VERIFIED')))
ORDER BY r.captured_at LIMIT 200

-- name: cap_usage
-- What teachers have reserved of a month, fullest first, a page of it; `paid_paise` is the part that was paid and has not come back.
-- :tenants and :beneficiary_id NULL for everybody.
SELECT c.beneficiary_id, c.tenant_id, c.month, c.reserved_paise, c.cap_paise, a.username,
       coalesce((SELECT sum(CASE l.entry WHEN 'SETTLE' THEN l.amount_paise WHEN 'REVERSE' THEN -l.amount_paise ELSE 0 END)
                 FROM payout.ledger l WHERE l.beneficiary_id = c.beneficiary_id AND l.month = c.month), 0)::bigint AS paid_paise
FROM payout.monthly_cap c LEFT JOIN access.account a ON a.id = c.beneficiary_id
WHERE c.month = :month AND c.reserved_paise > 0
  AND (CAST(:tenants AS text[]) IS NULL OR c.tenant_id = ANY (CAST(:tenants AS text[])))
  AND (CAST(:beneficiary_id AS uuid) IS NULL OR c.beneficiary_id = :beneficiary_id)
ORDER BY c.reserved_paise::float8 / greatest(c.cap_paise, 1) DESC, c.reserved_paise DESC, c.beneficiary_id LIMIT :limit OFFSET :offset

-- name: cap_months
-- The months of which something is reserved, newest first, at most 36.
SELECT DISTINCT month FROM payout.monthly_cap ORDER BY month DESC LIMIT 36

-- name: calls
-- What was asked of the provider about one payout, and its answers, oldest first, at most 200.
SELECT c.id, c.attempt_id, c.send, c.call, c.outcome, c.why, c.http_status, c.reason, c.field, c.description, c.provider_payout_id,
       c.provider_status, c.called_at, c.took_ms
FROM payout.call c JOIN payout.attempt a ON a.id = c.attempt_id
WHERE a.payout_id = :payout_id ORDER BY c.called_at, c.id LIMIT 200

-- name: events
-- The provider's events about one payout, as they came, at most 200.
SELECT e.event_id, e.attempt_id, e.event, e.provider_status, e.received_at, e.processed_at, e.outcome
FROM payout.webhook_event e JOIN payout.attempt a ON a.id = e.attempt_id
WHERE a.payout_id = :payout_id ORDER BY e.received_at, e.id LIMIT 200

-- name: bodies
-- The orders and the answers to them as they are kept, for the references of one report's payout, oldest first, at most 40.
SELECT p.packet, p.key, p.body, p.occurred_at FROM packet.log p
WHERE p.subject_id = :report_id AND p.packet IN ('08/03', '08/04') AND p.key = ANY (CAST(:references AS text[]))
ORDER BY p.occurred_at, p.id LIMIT 40

-- name: deeds
-- Who did what about one payout, oldest first, at most 200: the report's steps since it was opened, and what the audit recorded.
SELECT h.action, h.actor_id, h.actor_role, h.comment, h.facts AS details, h.occurred_at, h.id
FROM sdcrs.report_history h
WHERE h.report_id = :report_id AND h.occurred_at >= :since
  AND (h.to_state IN ('PAYOUT_PENDING', 'PAYOUT_FAILED') OR h.from_state IN ('PAYOUT_PENDING', 'PAYOUT_FAILED'))
UNION ALL
SELECT e.action, e.actor_id, e.actor_role, NULL, e.details, e.occurred_at, e.id
FROM audit.event e WHERE e.subject_kind = 'PAYOUT' AND e.subject_id = CAST(:payout_id AS text)
UNION ALL
SELECT e.action, e.actor_id, e.actor_role, NULL, e.details, e.occurred_at, e.id
FROM audit.event e
WHERE e.subject_kind = 'ACCOUNT' AND e.subject_id = CAST(:beneficiary_id AS text) AND e.action = 'VPA_CORRECTED' AND e.occurred_at >= :since
ORDER BY occurred_at, id LIMIT 200

-- name: known_address
-- Whether an address is known for a teacher at this provider's account, by its keyed hash; no row when it is not.
SELECT provider_fund_account_id FROM payout.fund_account
WHERE beneficiary_id = :beneficiary_id AND vpa_lookup = :lookup AND provider = :provider

-- name: runs
-- The newest reconciliation runs, at most :limit. `lines` and the balance NULL: no statement, or one that states no balance.
SELECT id, tenant_id, source, file_name, window_starts_at, window_ends_at, ours, theirs, lines, matched, in_flight, exceptions,
       opening_paise, credited_paise, debited_paise, closing_paise, settling_s, tolerance_paise, run_at, run_by
FROM payout.reconciliation_run ORDER BY run_at DESC, id DESC LIMIT :limit

-- name: run
-- One run; no row when it does not exist here.
SELECT id, tenant_id, source, file_name, window_starts_at, window_ends_at, ours, theirs, lines, matched, in_flight, exceptions,
       opening_paise, credited_paise, debited_paise, closing_paise, settling_s, tolerance_paise, run_at, run_by
FROM payout.reconciliation_run WHERE id = :run_id

-- name: run_kinds
-- One row per kind that a run found besides MATCHED, with its number and how many of them are open.
SELECT kind, count(*) AS found, count(*) FILTER (WHERE status = 'OPEN') AS open
FROM payout.reconciliation_item WHERE run_id = :run_id GROUP BY kind ORDER BY kind

-- name: run_items
-- A page of what a run found besides what matched, open ones first, IN_FLIGHT last; `kind` NULL: every kind.
SELECT id, tenant_id, kind, payout_id, report_number, reference_id, provider_payout_id, line_id, field, ours, theirs, age_s, next_step, status
FROM payout.reconciliation_item
WHERE run_id = :run_id AND (CAST(:kind AS text) IS NULL OR kind = :kind)
ORDER BY kind = 'IN_FLIGHT', status <> 'OPEN', kind, id LIMIT :limit OFFSET :offset

-- name: item_steps
-- What was done about these exceptions, newest first, at most :limit; `done_by_name` is the account's name for signing in.
SELECT s.item_id, s.step, s.outcome, s.comment, s.done_at, s.done_by, a.username AS done_by_name
FROM payout.reconciliation_step s LEFT JOIN access.account a ON a.id = s.done_by
WHERE s.item_id = ANY (:item_ids) ORDER BY s.done_at DESC, s.id DESC LIMIT :limit

-- name: over_cap
-- Reports of some tenants that were resolved without payout because their teacher's month was full, since :month_at, newest first.
-- A report waits for weeks at most, so that only the last months' are looked through, by their index.
SELECT r.id AS report_id, r.tenant_id, r.report_number, r.reporter_id AS beneficiary_id, r.resolved_at
FROM sdcrs.report r
WHERE r.tenant_id = ANY (CAST(:tenants AS text[])) AND r.status IN ('RESOLVED', 'CLOSED')
  AND r.created_at >= CAST(:month_at AS timestamptz) - interval '60 days'
  AND r.payout_status = 'SKIPPED_CAP_REACHED' AND r.resolved_at >= CAST(:month_at AS timestamptz)
ORDER BY r.resolved_at DESC, r.id LIMIT CAST(:limit AS bigint)
