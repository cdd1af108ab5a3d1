-- name: page
-- One page of the payouts that match, newest first, each with its newest attempt; one row with id NULL when there is none.
-- `total` counts up to :count_limit. Each tenant and status contributes its own first rows, which their index gives in order.
WITH matching AS NOT MATERIALIZED (
    SELECT o.id, o.tenant_id, o.status, o.created_at
    FROM payout.payout o
    WHERE (CAST(:report_number AS text) IS NULL OR o.report_id = (
            SELECT r.id FROM sdcrs.report r WHERE r.report_number = CAST(:report_number AS text)))
      AND (CAST(:created_from AS timestamptz) IS NULL OR o.created_at >= CAST(:created_from AS timestamptz))
      AND (CAST(:created_to AS timestamptz) IS NULL OR o.created_at <= CAST(:created_to AS timestamptz))
),
page AS MATERIALIZED (
    SELECT m.id, m.created_at
    FROM unnest(CAST(:tenants AS text[])) AS t (id) CROSS JOIN unnest(CAST(:statuses AS text[])) AS s (status)
    CROSS JOIN LATERAL (
        SELECT id, created_at FROM matching WHERE tenant_id = t.id AND status = s.status
        ORDER BY created_at DESC, id DESC LIMIT CAST(:offset AS bigint) + CAST(:limit AS bigint)
    ) m
    ORDER BY m.created_at DESC, m.id DESC OFFSET CAST(:offset AS bigint) LIMIT CAST(:limit AS bigint)
),
counted AS (
    SELECT count(*) AS total FROM (
        SELECT 1 FROM matching
        WHERE tenant_id = ANY (CAST(:tenants AS text[])) AND status = ANY (CAST(:statuses AS text[])) LIMIT CAST(:count_limit AS bigint)
    ) capped
)
SELECT c.total, o.id, o.tenant_id, o.report_id, o.report_number, o.beneficiary_id, o.amount_paise, o.currency, o.status, o.retry_count,
    o.utr, o.failure_reason, o.failure_text, o.next_retry_at, o.method, o.manual_reference, o.manual_requested_at, o.manual_approved_at,
    o.needs_person, o.created_at, o.modified_at,
    a.number, a.reference_id, a.provider_payout_id, a.provider_status, f.provider_contact_id, f.provider_fund_account_id
FROM counted c
LEFT JOIN page p ON true
LEFT JOIN payout.payout o ON o.id = p.id
LEFT JOIN payout.attempt a ON a.payout_id = o.id AND a.number = o.retry_count
LEFT JOIN payout.fund_account f ON f.id = a.fund_account_id
ORDER BY p.created_at DESC, p.id DESC

-- name: of_report
-- The payout of one report as far as an admin's decision needs it.
SELECT o.beneficiary_id, o.manual_reference, o.method, o.manual_requested_at, o.manual_requested_by, o.manual_approved_at
FROM payout.payout o WHERE o.report_id = :report_id
