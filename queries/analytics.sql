-- name: matching
-- The reports that a dashboard is about: the one predicate of every tile, chart and list of this file. A filter that is NULL
-- filters nothing; :overdue true keeps those that ended, or stand open, past the hours of their type.
SELECT r.* FROM sdcrs.report r
WHERE r.tenant_id = ANY (CAST(:tenants AS text[]))
  AND r.created_at >= CAST(:from_at AS timestamptz) AND r.created_at < CAST(:to_at AS timestamptz)
  AND (CAST(:statuses AS text[]) IS NULL OR r.status = ANY (CAST(:statuses AS text[])))
  AND (CAST(:service_type AS text) IS NULL OR r.service_type = CAST(:service_type AS text))
  AND (CAST(:district_code AS text) IS NULL OR r.district_code = CAST(:district_code AS text))
  AND (CAST(:ward_code AS text) IS NULL OR r.ward_code = CAST(:ward_code AS text))
  AND (CAST(:own_reporter AS uuid) IS NULL OR r.reporter_id = CAST(:own_reporter AS uuid))
  AND (CAST(:own_officer AS uuid) IS NULL OR r.assigned_officer_id = CAST(:own_officer AS uuid))
  AND (CAST(:overdue AS boolean) IS NULL OR CAST(:overdue AS boolean) = (r.sla_due_at < CASE
      WHEN r.status IN ('RESOLVED', 'CLOSED') THEN r.resolved_at
      WHEN r.status IN ('AUTO_REJECTED', 'REJECTED', 'DUPLICATE') THEN r.rejected_at
      WHEN r.status = 'UNABLE_TO_LOCATE' THEN r.visit_completed_at
      ELSE CAST(:as_of AS timestamptz) END))

-- name: page
-- One page of the reports behind a number, newest first, with how many there are; one row with id NULL when there are none. A
-- tile is this statement with :limit 0, so a number and its list cannot differ. Each tenant contributes its own newest reports,
-- which its index gives in order.
-- with: matching
SELECT c.total, p.id, p.report_number, p.service_type, p.status, p.ward, p.district, p.created_at, p.resolved_at, p.sla_due_at
FROM (SELECT count(*) AS total FROM matching) c
LEFT JOIN (
    SELECT m.*
    FROM unnest(CAST(:tenants AS text[])) AS t (id)
    CROSS JOIN LATERAL (
        SELECT * FROM matching WHERE tenant_id = t.id
        ORDER BY created_at DESC, id DESC LIMIT CAST(:limit AS bigint) + CAST(:offset AS bigint)
    ) m
    ORDER BY m.created_at DESC, m.id DESC LIMIT CAST(:limit AS bigint) OFFSET CAST(:offset AS bigint)
) p ON true
ORDER BY p.created_at DESC, p.id DESC

-- name: by_status
-- How many reports stand in each state.
-- with: matching
SELECT m.status AS key, count(*) AS reports FROM matching m GROUP BY m.status ORDER BY reports DESC, key LIMIT 50

-- name: by_type
-- How many reports there are of each type.
-- with: matching
SELECT m.service_type AS key, count(*) AS reports FROM matching m GROUP BY m.service_type ORDER BY reports DESC, key LIMIT 50

-- name: by_district
-- How many reports came from each district, and how many of them are resolved; NULL: the place lay in none.
-- with: matching
SELECT m.district_code AS key, max(m.district) AS name, count(*) AS reports,
       count(*) FILTER (WHERE m.status IN ('RESOLVED', 'CLOSED')) AS resolved
FROM matching m GROUP BY m.district_code ORDER BY reports DESC, key LIMIT 100

-- name: by_ward
-- How many reports came from each ward, and how many of them are resolved; NULL: the place lay in none.
-- with: matching
SELECT m.ward_code AS key, max(m.ward) AS name, count(*) AS reports,
       count(*) FILTER (WHERE m.status IN ('RESOLVED', 'CLOSED')) AS resolved
FROM matching m GROUP BY m.ward_code ORDER BY reports DESC, key LIMIT 200

-- name: trend
-- How many reports came in each local day, week or month (:unit); those in which none came are left out.
-- with: matching
SELECT CAST(date_trunc(CAST(:unit AS text), m.created_at AT TIME ZONE CAST(:zone AS text)) AS date) AS day, count(*) AS reports
FROM matching m GROUP BY 1 ORDER BY 1 LIMIT 1000

-- name: resolution_time
-- One row: hours from report to resolution, as mean, median and 90th percentile, and of how many reports.
-- with: matching
SELECT count(*) AS reports, avg(s.hours) AS mean_h, percentile_cont(0.5) WITHIN GROUP (ORDER BY s.hours) AS median_h,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY s.hours) AS p90_h
FROM (SELECT extract(epoch FROM m.resolved_at - m.created_at) / 3600.0 AS hours FROM matching m WHERE m.resolved_at IS NOT NULL) s

-- name: stage_times
-- Hours from report to each stage, as mean, median and 90th percentile, and of how many reports; in the order of the stages.
-- with: matching
SELECT s.stage AS key, count(*) AS reports, avg(s.hours) AS mean_h, percentile_cont(0.5) WITHIN GROUP (ORDER BY s.hours) AS median_h,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY s.hours) AS p90_h
FROM (
    SELECT v.position, v.stage, extract(epoch FROM v.at - m.created_at) / 3600.0 AS hours
    FROM matching m
    CROSS JOIN LATERAL (VALUES (1, 'VERIFIED', m.verified_at), (2, 'ASSIGNED', m.assigned_at), (3, 'IN_PROGRESS', m.visit_started_at),
                               (4, 'RESOLVED', m.resolved_at)) AS v (position, stage, at)
    WHERE v.at IS NOT NULL
) s
GROUP BY s.position, s.stage ORDER BY s.position

-- name: ages
-- How many reports are how old, in four classes of a day each; for open reports.
-- with: matching
SELECT least(CAST(floor(extract(epoch FROM CAST(:as_of AS timestamptz) - m.created_at) / 86400.0) AS int), 3) AS key, count(*) AS reports
FROM matching m GROUP BY 1 ORDER BY 1

-- name: paid
-- One row: what reached the teachers of these reports and what is on its way, in paise, and how many payouts each is.
-- What was settled by hand counts with the amount that was paid.
-- with: matching
SELECT coalesce(sum(coalesce(p.manual_amount_paise, p.amount_paise)) FILTER (WHERE p.status = 'COMPLETED'), 0)::bigint AS paid_paise,
       count(*) FILTER (WHERE p.status = 'COMPLETED') AS paid,
       coalesce(sum(p.amount_paise) FILTER (WHERE p.status IN ('INITIATED', 'PROCESSING')), 0)::bigint AS pending_paise,
       count(*) FILTER (WHERE p.status IN ('INITIATED', 'PROCESSING')) AS pending
FROM matching m JOIN payout.payout p ON p.report_id = m.id

-- name: paid_by_district
-- What reached the teachers of each district, in paise.
-- with: matching
SELECT m.district_code AS key, max(m.district) AS name,
       sum(coalesce(p.manual_amount_paise, p.amount_paise))::bigint AS paise, count(*) AS payouts
FROM matching m JOIN payout.payout p ON p.report_id = m.id
WHERE p.status = 'COMPLETED' GROUP BY m.district_code ORDER BY paise DESC, key LIMIT 100

-- name: paid_by_month
-- What was paid in each local month, in paise, for these reports.
-- with: matching
SELECT CAST(date_trunc('month', p.completed_at AT TIME ZONE CAST(:zone AS text)) AS date) AS day,
       sum(coalesce(p.manual_amount_paise, p.amount_paise))::bigint AS paise, count(*) AS payouts
FROM matching m JOIN payout.payout p ON p.report_id = m.id
WHERE p.status = 'COMPLETED' GROUP BY 1 ORDER BY 1 LIMIT 240

-- name: top_earners
-- The ten teachers who received most, in paise; for viewers who may know reporters.
-- with: matching
SELECT m.reporter_id AS key, sum(coalesce(p.manual_amount_paise, p.amount_paise))::bigint AS paise, count(*) AS payouts
FROM matching m JOIN payout.payout p ON p.report_id = m.id
WHERE p.status = 'COMPLETED' GROUP BY m.reporter_id ORDER BY paise DESC, key LIMIT 10

-- name: top_reporters
-- The ten teachers with most resolved reports; for viewers who may know reporters.
-- with: matching
SELECT m.reporter_id AS key, count(*) AS reports, count(*) FILTER (WHERE m.status IN ('RESOLVED', 'CLOSED')) AS resolved
FROM matching m GROUP BY m.reporter_id ORDER BY resolved DESC, reports DESC, key LIMIT 10

-- name: verifiers
-- The decisions of each verifier on these reports and the hours from report to decision; at most twenty, the busiest first.
-- with: matching
SELECT d.verifier_id AS key, count(*) FILTER (WHERE d.verified) AS verified, count(*) FILTER (WHERE NOT d.verified) AS rejected,
       avg(d.hours) AS mean_h, percentile_cont(0.5) WITHIN GROUP (ORDER BY d.hours) AS median_h
FROM (
    SELECT m.verified_by AS verifier_id, true AS verified, extract(epoch FROM m.verified_at - m.created_at) / 3600.0 AS hours
    FROM matching m WHERE m.verified_by IS NOT NULL
    UNION ALL
    SELECT m.rejected_by, false, extract(epoch FROM m.rejected_at - m.created_at) / 3600.0
    FROM matching m WHERE m.status IN ('REJECTED', 'DUPLICATE')
) d
GROUP BY d.verifier_id ORDER BY count(*) DESC, key LIMIT 20

-- name: officers
-- What became of the reports of each officer and the hours from assignment to the end of the visit; at most twenty, the busiest first.
-- with: matching
SELECT m.assigned_officer_id AS key, count(*) AS assigned,
       count(*) FILTER (WHERE m.captured_at IS NOT NULL) AS captured,
       count(*) FILTER (WHERE m.status = 'UNABLE_TO_LOCATE') AS not_found,
       count(*) FILTER (WHERE m.status IN ('ASSIGNED', 'IN_PROGRESS')) AS open,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM m.visit_completed_at - m.assigned_at) / 3600.0) AS median_h
FROM matching m WHERE m.assigned_officer_id IS NOT NULL
GROUP BY m.assigned_officer_id ORDER BY assigned DESC, key LIMIT 20

-- name: usernames
-- The user names of some accounts, to stand in where the vault has no name.
SELECT id, username FROM access.account WHERE id = ANY (CAST(:ids AS uuid[])) LIMIT 100
