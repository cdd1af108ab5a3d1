DROP VIEW IF EXISTS sdcrs.public_tracking;
CREATE VIEW sdcrs.public_tracking WITH (security_invoker = true) AS
SELECT r.tenant_id, r.report_number, r.tracking_id, r.status, r.locality, r.ward_code, r.created_at, r.resolved_at,
       (SELECT jsonb_agg(jsonb_build_object('action', h.action, 'state', h.to_state, 'at', h.occurred_at) ORDER BY h.version)
        FROM sdcrs.report_history h WHERE h.report_id = r.id) AS timeline
FROM sdcrs.report r;

-- A payout with the attempt that counts, and the queue in which a person finds it. One row can serve as the facts of both.
DROP VIEW IF EXISTS payout.overview;
CREATE VIEW payout.overview WITH (security_invoker = true) AS
SELECT p.id, p.tenant_id, p.report_id, p.report_number, p.beneficiary_id, p.amount_paise, p.currency, p.cap_month, p.status,
       p.retry_count, p.utr, p.failure_reason, p.failure_text, p.next_retry_at, p.method, p.manual_reference, p.manual_amount_paise,
       p.manual_comment, p.manual_requested_at, p.manual_requested_by, p.manual_approved_at, p.manual_approved_by, p.completed_at,
       p.needs_person, p.created_at, p.modified_at,
       a.id AS attempt_id, a.number, a.reference_id, a.phase, a.sends, a.provider_payout_id, a.provider_status, a.reason, a.reason_text,
       a.last_error, a.fees_paise, a.tax_paise, a.first_sent_at, a.accepted_at, a.next_send_at, a.next_poll_at,
       f.provider_contact_id AS contact_id, f.provider_fund_account_id AS fund_account,
       CASE WHEN p.manual_requested_at IS NOT NULL AND p.manual_approved_at IS NULL THEN 'APPROVAL'
            WHEN p.needs_person IS NOT NULL OR a.phase = 'REVIEW' THEN 'PERSON'
            WHEN p.status IN ('FAILED', 'REVERSED') AND p.next_retry_at IS NOT NULL THEN 'RETRYING'
            WHEN p.status IN ('FAILED', 'REVERSED') THEN 'FAILED'
            WHEN p.status = 'COMPLETED' THEN 'DONE'
            WHEN a.phase = 'UNKNOWN' THEN 'UNKNOWN'
            WHEN a.provider_status = 'queued' AND a.reason = 'low_balance' THEN 'LOW_BALANCE'
            ELSE 'UNDER_WAY' END AS queue
FROM payout.payout p
JOIN payout.attempt a ON a.payout_id = p.id AND a.number = p.retry_count
LEFT JOIN payout.fund_account f ON f.id = a.fund_account_id;
