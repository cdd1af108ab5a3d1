-- name: reports
-- The reports of some tenants in one state that match the filters, oldest first, at most :limit; `total` says how many match,
-- counted up to :count_limit. One row with id NULL when there is none. A filter that is NULL filters nothing. Nothing of the
-- reporter is read: supervisors do not learn who reported.
WITH matching AS NOT MATERIALIZED (
    SELECT r.tenant_id, r.id, r.version, r.report_number, r.status, r.service_type, r.description, r.latitude, r.longitude, r.address, r.landmark,
           r.locality, r.ward_code, r.ward, r.dog_count, r.is_aggressive, r.created_at, r.state_entered_at, r.sla_due_at,
           r.assigned_officer_id, r.assigned_at
    FROM sdcrs.report r
    WHERE r.status = :status
      AND (CAST(:service_type AS text) IS NULL OR r.service_type = CAST(:service_type AS text))
      AND (CAST(:ward_code AS text) IS NULL OR r.ward_code = CAST(:ward_code AS text))
      AND (CAST(:officer_id AS uuid) IS NULL OR r.assigned_officer_id = CAST(:officer_id AS uuid))
      AND (CAST(:entered_after AS timestamptz) IS NULL OR r.state_entered_at > CAST(:entered_after AS timestamptz))
      AND (CAST(:entered_until AS timestamptz) IS NULL OR r.state_entered_at <= CAST(:entered_until AS timestamptz))
),
counted AS (
    SELECT count(*) AS total
    FROM (SELECT 1 FROM matching WHERE tenant_id = ANY (CAST(:tenants AS text[])) LIMIT CAST(:count_limit AS bigint)) capped
),
oldest AS (
    SELECT m.*
    FROM unnest(CAST(:tenants AS text[])) AS t (id)
    CROSS JOIN LATERAL (SELECT * FROM matching WHERE tenant_id = t.id ORDER BY created_at, id LIMIT CAST(:limit AS bigint)) m
    ORDER BY m.created_at, m.id LIMIT CAST(:limit AS bigint)
)
SELECT c.total, o.* FROM counted c LEFT JOIN oldest o ON true ORDER BY o.created_at, o.id

-- name: counts
-- How many reports of some tenants wait to be assigned, are assigned and are being visited; each counted up to :count_limit.
SELECT s.status, (SELECT count(*) FROM (
    SELECT 1 FROM sdcrs.report r WHERE r.tenant_id = ANY (CAST(:tenants AS text[])) AND r.status = s.status
    LIMIT CAST(:count_limit AS bigint)) capped) AS reports
FROM (VALUES ('VERIFIED'), ('ASSIGNED'), ('IN_PROGRESS')) AS s (status)
ORDER BY s.status
