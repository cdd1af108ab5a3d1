-- name: search
-- One page of registrations, newest first; one row with id NULL when there is none. `total` counts up to :count_limit.
-- Each tenant and status contributes its own first rows, which their index gives in order.
WITH matching AS NOT MATERIALIZED (
    SELECT r.id, r.tenant_id, r.status_code, r.received_at
    FROM regprc.registration r
    WHERE (CAST(:reg_id AS text) IS NULL OR r.reg_id = CAST(:reg_id AS text))
      AND (CAST(:sub_status AS text) IS NULL OR r.sub_status_code = CAST(:sub_status AS text))
      AND (CAST(:stage AS text) IS NULL OR r.stage = CAST(:stage AS text))
      AND (CAST(:received_from AS timestamptz) IS NULL OR r.received_at >= CAST(:received_from AS timestamptz))
      AND (CAST(:received_to AS timestamptz) IS NULL OR r.received_at <= CAST(:received_to AS timestamptz))
),
page AS MATERIALIZED (
    SELECT m.id, m.received_at
    FROM unnest(CAST(:tenants AS text[])) AS t (id) CROSS JOIN unnest(CAST(:statuses AS text[])) AS s (status)
    CROSS JOIN LATERAL (
        SELECT id, received_at FROM matching WHERE tenant_id = t.id AND status_code = s.status
        ORDER BY received_at DESC, id DESC LIMIT CAST(:offset AS bigint) + CAST(:limit AS bigint)
    ) m
    ORDER BY m.received_at DESC, m.id DESC OFFSET CAST(:offset AS bigint) LIMIT CAST(:limit AS bigint)
),
counted AS (
    SELECT count(*) AS total FROM (
        SELECT 1 FROM matching
        WHERE tenant_id = ANY (CAST(:tenants AS text[])) AND status_code = ANY (CAST(:statuses AS text[])) LIMIT CAST(:count_limit AS bigint)
    ) capped
)
SELECT c.total, r.id, r.tenant_id, r.reg_id, r.process, r.source, r.status_code, r.sub_status_code, r.status_comment, r.stage, r.attempts,
    r.upload_number, r.latest_trn_type_code, r.latest_trn_status_code, r.latest_trn_at, r.resume_at, r.default_resume_action,
    r.pause_rule, r.received_at, r.processed_at
FROM counted c LEFT JOIN page p ON true LEFT JOIN regprc.registration r ON r.id = p.id
ORDER BY r.received_at DESC, r.id DESC

-- name: ids
-- The registrations with these 29 digits in the caller's area: one row each.
SELECT r.reg_id, r.id FROM regprc.registration r WHERE r.reg_id = ANY (CAST(:reg_ids AS text[])) LIMIT 200
