-- name: list
-- A page of payouts, newest first: payout, the attempt that counts, and the queue in which a person finds it (payout.overview).
-- Filters that are NULL do not narrow; `tenants` besides the caller's scope, `from_at` and `to_at` of creation, inclusive.
SELECT * FROM payout.overview p
WHERE (CAST(:tenants AS text[]) IS NULL OR p.tenant_id = ANY (CAST(:tenants AS text[])))
  AND (CAST(:report_number AS text) IS NULL OR p.report_number = :report_number)
  AND (CAST(:statuses AS text[]) IS NULL OR p.status = ANY (CAST(:statuses AS text[])))
  AND (CAST(:queue AS text) IS NULL OR p.queue = :queue)
  AND (CAST(:queue AS text) IS NULL OR :queue IN ('DONE', 'PERSON') OR p.status <> 'COMPLETED')
  AND (CAST(:beneficiary_id AS uuid) IS NULL OR p.beneficiary_id = :beneficiary_id)
  AND (CAST(:from_at AS timestamptz) IS NULL OR p.created_at >= :from_at)
  AND (CAST(:to_at AS timestamptz) IS NULL OR p.created_at <= :to_at)
ORDER BY p.created_at DESC, p.id DESC LIMIT :limit OFFSET :offset

-- name: count
-- One row: how many payouts the same filters find.
SELECT count(*) AS payouts FROM payout.overview p
WHERE (CAST(:tenants AS text[]) IS NULL OR p.tenant_id = ANY (CAST(:tenants AS text[])))
  AND (CAST(:report_number AS text) IS NULL OR p.report_number = :report_number)
  AND (CAST(:statuses AS text[]) IS NULL OR p.status = ANY (CAST(:statuses AS text[])))
  AND (CAST(:queue AS text) IS NULL OR p.queue = :queue)
  AND (CAST(:queue AS text) IS NULL OR :queue IN ('DONE', 'PERSON') OR p.status <> 'COMPLETED')
  AND (CAST(:beneficiary_id AS uuid) IS NULL OR p.beneficiary_id = :beneficiary_id)
  AND (CAST(:from_at AS timestamptz) IS NULL OR p.created_at >= :from_at)
  AND (CAST(:to_at AS timestamptz) IS NULL OR p.created_at <= :to_at)

-- name: detail
-- The payout of a report, as in the list; no row when there is none.
SELECT * FROM payout.overview WHERE report_id = :report_id

-- name: of_reports
-- The payouts of these reports, as in the list.
SELECT * FROM payout.overview WHERE report_id = ANY (:report_ids)

-- name: attempts
-- The attempts at one payout in their order, without their requests; `id`, `status` and the rest are the attempt's own.
SELECT a.id, a.payout_id, a.number, a.reference_id, a.phase, a.sends, a.provider_payout_id, a.provider_status, a.reason, a.reason_text,
       a.last_error, a.utr, a.fees_paise, a.tax_paise, a.created_at, a.first_sent_at, a.accepted_at, a.next_send_at, a.next_poll_at,
       a.modified_at, f.provider_contact_id AS contact_id, f.provider_fund_account_id AS fund_account
FROM payout.attempt a LEFT JOIN payout.fund_account f ON f.id = a.fund_account_id
WHERE a.payout_id = :payout_id ORDER BY a.number

-- name: ledger
-- The ledger of one payout in its order.
SELECT entry, amount_paise, month, attempt_id, occurred_at FROM payout.ledger WHERE payout_id = :payout_id ORDER BY id

-- name: queues
-- One row per queue that is not empty: how many payouts, of how much together, and since when the oldest waits. DONE is left out.
SELECT queue, count(*) AS payouts, sum(amount_paise)::bigint AS amount_paise, min(created_at) AS oldest_at
FROM payout.overview WHERE status <> 'COMPLETED' GROUP BY queue ORDER BY queue

-- name: summary
-- One row for the head of the screen. `stuck`: with the provider since before :stuck_before; `frozen`: captured reports of
-- teachers whose standing is one of :frozen at :now; low balance: what waits for money, and what the account held when asked.
SELECT (SELECT count(*) FROM payout.payout WHERE status IN ('FAILED', 'REVERSED')) AS failed,
       (SELECT count(*) FROM payout.payout WHERE status IN ('INITIATED', 'PROCESSING')) AS pending,
       (SELECT count(*) FROM payout.payout p JOIN payout.attempt a ON a.payout_id = p.id AND a.number = p.retry_count
        WHERE p.status IN ('INITIATED', 'PROCESSING') AND a.accepted_at < :stuck_before) AS stuck,
       (SELECT count(*) FROM payout.attempt WHERE phase IN ('UNKNOWN', 'REVIEW')) AS unresolved,
       (SELECT count(*) FROM payout.payout WHERE manual_requested_at IS NOT NULL AND manual_approved_at IS NULL) AS awaiting_approval,
       (SELECT count(*) FROM payout.payout WHERE needs_person IS NOT NULL) AS needing_person,
       (SELECT count(*) FROM sdcrs.report r JOIN access.account a ON a.id = r.reporter_id
        WHERE r.status = 'CAPTURED' AND a.standing = ANY (:frozen) AND (a.standing_until IS NULL OR a.standing_until > :now)) AS frozen,
       low.payouts AS low_balance_payouts, low.amount_paise AS low_balance_paise,
       s.balance_paise, s.balance_read_at, CASE WHEN s.balance_paise IS NOT NULL THEN greatest(low.amount_paise - s.balance_paise, 0) END AS shortfall_paise,
       CASE WHEN s.paused_until > :now THEN s.paused_until END AS paused_until,
       CASE WHEN s.paused_until > :now THEN s.pause_reason END AS pause_reason
FROM (SELECT count(*) AS payouts, coalesce(sum(p.amount_paise), 0)::bigint AS amount_paise
      FROM payout.attempt a JOIN payout.payout p ON p.id = a.payout_id
      WHERE a.provider_status = 'queued' AND a.reason = 'low_balance') low
LEFT JOIN payout.provider s ON true

-- name: frozen
-- Captured reports that are not paid while their teacher's standing is one of :frozen, at most 200, longest waiting first.
SELECT r.id AS report_id, r.tenant_id, r.report_number, r.reporter_id AS beneficiary_id, r.captured_at, a.standing, a.standing_until
FROM sdcrs.report r JOIN access.account a ON a.id = r.reporter_id
WHERE r.status = 'CAPTURED' AND a.standing = ANY (:frozen) AND (a.standing_until IS NULL OR a.standing_until > :now)
ORDER BY r.captured_at LIMIT 200

-- name: cap_usage
-- What teachers have reserved of a month, fullest first, at most 200; :beneficiary_id NULL for everybody.
SELECT beneficiary_id, tenant_id, month, reserved_paise, cap_paise
FROM payout.monthly_cap
WHERE month = :month AND (CAST(:beneficiary_id AS uuid) IS NULL OR beneficiary_id = :beneficiary_id)
ORDER BY reserved_paise DESC, beneficiary_id LIMIT 200

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
