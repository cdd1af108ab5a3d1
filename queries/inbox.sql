-- name: page
-- One page of the reports that match, in the order asked for; one row with id NULL when the page is empty.
-- `total` counts what matches, at most :window of each tenant; `due_at` is when the state's time is over (NULL: nothing is
-- due), moved on by what the clock stood still. The predicate of list and count is this one. :slas has seconds by tenant and
-- state; a band goes from :due_from to :due_to, as shares of those seconds. A filter that is NULL filters nothing.
WITH sla AS (
    SELECT s.tenant_id, s.status, s.seconds
    FROM jsonb_to_recordset(CAST(:slas AS jsonb)) AS s (tenant_id text, status text, seconds int)
),
matching AS NOT MATERIALIZED (
    SELECT r.id, r.tenant_id, r.report_number, r.service_type, r.status, r.queue, r.version, r.address, r.ward, r.locality,
        r.fraud_score, r.risk_level, r.recommendation, r.rejection_reason, r.awaiting_teacher_at, r.claimed_by, r.claimed_until,
        r.created_at, r.state_entered_at, s.seconds AS sla_s,
        extract(epoch FROM coalesce(r.awaiting_teacher_at, CAST(:now AS timestamptz)) - r.state_entered_at) - r.paused_s AS spent_s
    FROM sdcrs.report r LEFT JOIN sla s ON s.tenant_id = r.tenant_id AND s.status = r.status
    WHERE (CAST(:status AS text) IS NULL OR r.status = CAST(:status AS text))
      AND (CAST(:queue AS text) IS NULL OR r.queue = CAST(:queue AS text))
      AND (CAST(:service_type AS text) IS NULL OR r.service_type = CAST(:service_type AS text))
      AND (CAST(:number AS text) IS NULL OR r.report_number = CAST(:number AS text) OR r.tracking_id = CAST(:number AS text))
      AND (CAST(:claimed_by AS uuid) IS NULL OR (r.claimed_by = CAST(:claimed_by AS uuid) AND r.claimed_until > CAST(:now AS timestamptz)))
      AND (NOT CAST(:unclaimed AS boolean) OR r.claimed_by IS NULL OR r.claimed_until <= CAST(:now AS timestamptz))
      AND (CAST(:awaiting AS boolean) IS NULL OR (r.awaiting_teacher_at IS NOT NULL) = CAST(:awaiting AS boolean))
),
found AS MATERIALIZED (
    SELECT m.*, CASE WHEN m.sla_s IS NOT NULL THEN CAST(:now AS timestamptz) + make_interval(secs => m.sla_s - m.spent_s) END AS due_at
    FROM unnest(CAST(:tenants AS text[])) AS t (id)
    CROSS JOIN LATERAL (
        SELECT * FROM matching
        WHERE tenant_id = t.id
          AND (CAST(:due_from AS float8) IS NULL OR spent_s >= CAST(:due_from AS float8) * sla_s)
          AND (CAST(:due_to AS float8) IS NULL OR spent_s < CAST(:due_to AS float8) * sla_s)
        ORDER BY CASE WHEN :sort = 'newest' THEN created_at END DESC, created_at, id
        LIMIT CAST(:window AS bigint)
    ) m
),
page AS (
    SELECT f.*, row_number() OVER (ORDER BY
        CASE WHEN :sort = 'due' THEN f.awaiting_teacher_at IS NOT NULL END, CASE WHEN :sort = 'due' THEN f.due_at END,
        CASE WHEN :sort = 'risk' THEN f.fraud_score END DESC NULLS LAST,
        CASE WHEN :sort = 'newest' THEN f.created_at END DESC, f.created_at, f.id) AS position
    FROM found f
)
SELECT c.total, p.*
FROM (SELECT count(*) AS total FROM found) c
LEFT JOIN (SELECT * FROM page WHERE position > CAST(:offset AS bigint) AND position <= CAST(:offset AS bigint) + CAST(:limit AS bigint)) p
    ON true
ORDER BY p.position

-- name: by_number
-- The id of the report that a number or tracking id names, or no row.
SELECT r.id FROM sdcrs.report r WHERE r.report_number = CAST(:number AS text) OR r.tracking_id = CAST(:number AS text) LIMIT 1

-- name: candidates
-- Earlier reports that a report may repeat: those sent within :hours before it and :radius_m around it, and those named in
-- :ids, whose photos are alike. One row a report with its distance in metres, the likeness of the dog photos from 0 to 1 and
-- the seconds between the two; first those named, then those alike from :alike_from on, then the nearest. Not those of which a
-- person said that they are no duplicates.
WITH me AS (
    SELECT r.id, r.tenant_id, r.created_at, r.latitude, r.longitude,
        (SELECT e.phash FROM sdcrs.evidence e WHERE e.report_id = r.id AND e.evidence_type = 'DOG_PHOTO' ORDER BY e.id LIMIT 1) AS phash
    FROM sdcrs.report r WHERE r.id = CAST(:report_id AS uuid)
),
near AS (
    SELECT r.id, r.report_number, r.service_type, r.status, r.created_at, r.latitude, r.longitude, r.address, r.ward,
        2 * 6371008.8 * asin(least(1, sqrt(
            power(sin(radians(r.latitude - me.latitude) / 2), 2)
            + cos(radians(me.latitude)) * cos(radians(r.latitude)) * power(sin(radians(r.longitude - me.longitude) / 2), 2)))) AS distance_m,
        extract(epoch FROM me.created_at - r.created_at) AS earlier_s, me.phash
    FROM me JOIN sdcrs.report r ON r.tenant_id = me.tenant_id AND r.id <> me.id
    WHERE (r.created_at BETWEEN me.created_at - make_interval(hours => CAST(:hours AS int)) AND me.created_at
           AND r.status NOT IN ('AUTO_REJECTED', 'REJECTED', 'DUPLICATE'))
       OR r.id = ANY (CAST(:ids AS uuid[]))
),
denied AS (
    SELECT CASE WHEN p.later_id = CAST(:report_id AS uuid) THEN p.earlier_id ELSE p.later_id END AS id FROM fraud.pair p
    WHERE (p.later_id = CAST(:report_id AS uuid) OR p.earlier_id = CAST(:report_id AS uuid)) AND p.decision = 'NOT_DUPLICATE'
)
SELECT n.id, n.report_number, n.service_type, n.status, n.created_at, n.latitude, n.longitude, n.address, n.ward, n.distance_m,
    n.earlier_s, e.file_id, 1 - bit_count(CAST(e.phash # n.phash AS bit(64)))::float8 / 64 AS similarity
FROM near n
LEFT JOIN LATERAL (
    SELECT file_id, phash FROM sdcrs.evidence WHERE report_id = n.id AND evidence_type = 'DOG_PHOTO' ORDER BY id LIMIT 1
) e ON true
WHERE (n.distance_m <= CAST(:radius_m AS float8) OR n.id = ANY (CAST(:ids AS uuid[]))) AND n.id NOT IN (SELECT d.id FROM denied d)
ORDER BY n.id = ANY (CAST(:ids AS uuid[])) DESC,
    greatest(1 - bit_count(CAST(e.phash # n.phash AS bit(64)))::float8 / 64, CAST(:alike_from AS float8)) DESC NULLS LAST,
    n.distance_m, n.earlier_s, n.id
LIMIT CAST(:limit AS bigint)

-- name: pairs
-- The reports that this one may repeat, as validation found them and nobody has denied: one row a pair, photos that are alike
-- first, then the nearest. `similarity` from 0 to 1 of the dog photos, `metres` between the places, `minutes` between the receipts.
SELECT p.id, p.kind, p.similarity, p.metres, p.minutes, o.report_number, o.status, o.created_at, e.file_id
FROM fraud.pair p
JOIN sdcrs.report o ON o.id = CASE WHEN p.later_id = CAST(:report_id AS uuid) THEN p.earlier_id ELSE p.later_id END
LEFT JOIN LATERAL (
    SELECT file_id FROM sdcrs.evidence WHERE report_id = o.id AND evidence_type = 'DOG_PHOTO' ORDER BY id LIMIT 1
) e ON true
WHERE (p.later_id = CAST(:report_id AS uuid) OR p.earlier_id = CAST(:report_id AS uuid))
  AND p.decision IS NULL AND o.status <> 'AUTO_REJECTED'
ORDER BY p.kind = 'CLUSTER', p.similarity DESC, p.metres, p.id LIMIT CAST(:limit AS bigint)
