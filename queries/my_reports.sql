-- name: list
-- A teacher's own reports, the newest first, one row a report with its dog photo and what was paid for it.
SELECT r.id, r.tenant_id, r.report_number, r.tracking_id, r.service_type, r.description, r.status, r.created_at, r.modified_at,
    r.ward, r.locality, r.address, r.rejection_reason, r.payout_status, r.payout_amount_paise, r.awaiting_teacher_at, r.rating,
    e.file_id, count(*) OVER () AS total
FROM sdcrs.report r
LEFT JOIN LATERAL (
    SELECT file_id FROM sdcrs.evidence WHERE report_id = r.id AND evidence_type = 'DOG_PHOTO' ORDER BY id LIMIT 1
) e ON true
WHERE r.reporter_id = CAST(:account_id AS uuid)
  AND (CAST(:statuses AS text[]) IS NULL OR r.status = ANY (CAST(:statuses AS text[])))
  AND (NOT CAST(:asked AS boolean) OR r.awaiting_teacher_at IS NOT NULL)
ORDER BY r.created_at DESC, r.id DESC
LIMIT CAST(:limit AS bigint) OFFSET CAST(:offset AS bigint)

-- name: counts
-- One row: how many of a teacher's reports are under way, and how many wait for the teacher's answer.
SELECT count(*) FILTER (WHERE NOT status = ANY (CAST(:final AS text[]))) AS under_way,
    count(*) FILTER (WHERE awaiting_teacher_at IS NOT NULL) AS asked
FROM sdcrs.report WHERE reporter_id = CAST(:account_id AS uuid)

-- name: limits
-- One row: the teacher's standing, and how many reports were sent on the local day.
SELECT a.standing, a.standing_until, a.standing_reason, a.lifetime_reports,
    coalesce((SELECT d.reports FROM sdcrs.daily_count d WHERE d.reporter_id = a.id AND d.day = CAST(:day AS date)), 0) AS today
FROM access.account a WHERE a.id = CAST(:account_id AS uuid)

-- name: earnings
-- One row: paise paid and under way of the local month whose first day is :month, and what of the month's cap they take.
SELECT coalesce(sum(coalesce(o.manual_amount_paise, o.amount_paise)) FILTER (WHERE o.status = 'COMPLETED'), 0)::bigint AS paid_paise,
    coalesce(sum(o.amount_paise) FILTER (WHERE o.status IN ('INITIATED', 'PROCESSING')), 0)::bigint AS under_way_paise,
    coalesce((SELECT c.reserved_paise FROM payout.monthly_cap c
              WHERE c.beneficiary_id = CAST(:account_id AS uuid) AND c.month = CAST(:month AS date)), 0)::bigint AS taken_paise
FROM payout.payout o
WHERE o.beneficiary_id = CAST(:account_id AS uuid) AND o.cap_month = CAST(:month AS date)

-- name: by_number
-- The id of the teacher's own report of this number, or no row.
SELECT r.id FROM sdcrs.report r WHERE r.report_number = CAST(:number AS text) AND r.reporter_id = CAST(:account_id AS uuid)

-- name: number
-- The number of a report that the teacher has just sent.
SELECT r.report_number FROM sdcrs.report r WHERE r.id = CAST(:id AS uuid) AND r.reporter_id = CAST(:account_id AS uuid)
