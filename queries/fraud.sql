-- name: matching_flags
-- The flags of the queue that fit the filters; a filter that is NULL lets everything pass.
SELECT f.id, f.tenant_id, f.report_id, f.account_id, f.rule_id, f.rule_code, f.category, f.severity, f.score, f.message, f.status,
    f.escalated_to, f.taken_at, f.taken_by, f.resolution, f.resolved_at, f.resolved_by, f.by_decision, f.comment, f.raised_at,
    r.report_number, r.status AS report_status, r.service_type, r.ward_code, r.ward, r.locality, r.latitude, r.longitude, r.fraud_score,
    r.risk_level, r.created_at AS report_created_at
FROM fraud.flag f JOIN sdcrs.report r ON r.id = f.report_id
WHERE f.tenant_id = ANY (CAST(:tenants AS text[]))
  AND (CAST(:states AS text[]) IS NULL OR f.status = ANY (CAST(:states AS text[])))
  AND (CAST(:rule_id AS text) IS NULL OR f.rule_id = CAST(:rule_id AS text))
  AND (CAST(:category AS text) IS NULL OR f.category = CAST(:category AS text))
  AND (CAST(:ward_code AS text) IS NULL OR r.ward_code = CAST(:ward_code AS text))
  AND (CAST(:risk_level AS text) IS NULL OR r.risk_level = CAST(:risk_level AS text))
  AND (CAST(:account_id AS uuid) IS NULL OR f.account_id = CAST(:account_id AS uuid))
  AND (CAST(:report_id AS uuid) IS NULL OR f.report_id = CAST(:report_id AS uuid))
  AND (CAST(:raised_since AS timestamptz) IS NULL OR f.raised_at >= CAST(:raised_since AS timestamptz))

-- name: flags
-- The queue, the weightiest first, one row a flag with its report.
-- with: matching_flags
SELECT * FROM matching_flags ORDER BY score DESC, raised_at, id LIMIT CAST(:limit AS bigint) OFFSET CAST(:offset AS bigint)

-- name: flags_total
-- How many there are in all, counted up to :most and no further.
-- with: matching_flags
SELECT count(*) AS total FROM (SELECT FROM matching_flags LIMIT CAST(:most AS bigint)) AS found

-- name: flags_by_state
-- How many flags are in each state that has any; a resolved one counts from :raised_since on.
SELECT f.status, count(*) AS flags FROM fraud.flag f
WHERE f.tenant_id = ANY (CAST(:tenants AS text[]))
  AND (f.status <> 'RESOLVED' OR f.raised_at >= CAST(:raised_since AS timestamptz))
GROUP BY f.status ORDER BY f.status LIMIT 10

-- name: flag
-- One flag with its report.
SELECT f.*, r.report_number, r.status AS report_status, r.service_type, r.ward, r.locality, r.fraud_score, r.risk_level,
    r.created_at AS report_created_at
FROM fraud.flag f JOIN sdcrs.report r ON r.id = f.report_id WHERE f.id = CAST(:id AS uuid)

-- name: flag_history
-- What people did with a flag, oldest first, as the audit has it.
SELECT e.occurred_at, e.actor_id, e.actor_role, e.action, e.details FROM audit.event e
WHERE e.subject_kind = 'FLAG' AND e.subject_id = CAST(CAST(:id AS uuid) AS text) ORDER BY e.occurred_at, e.id LIMIT 100

-- name: rules
-- One row a rule that flagged anything since :since: hits, what became of them, and of those decided the share that was right
-- (precision) and wrong (false-positive rate); NULL while none is decided.
SELECT s.*, s.proven::double precision / nullif(s.proven + s.wrong, 0) AS precision,
    s.wrong::double precision / nullif(s.proven + s.wrong, 0) AS false_positive_rate
FROM (
    SELECT f.rule_id, max(f.rule_code) AS rule_code, count(*) AS hits, count(DISTINCT f.report_id) AS reports,
        count(*) FILTER (WHERE f.status <> 'RESOLVED') AS undecided,
        count(*) FILTER (WHERE f.resolution = 'TRUE_POSITIVE') AS proven,
        count(*) FILTER (WHERE f.resolution = 'FALSE_POSITIVE') AS wrong,
        count(*) FILTER (WHERE f.resolution = 'INCONCLUSIVE') AS inconclusive,
        count(*) FILTER (WHERE f.resolution = 'DUPLICATE_FLAG') AS repeated,
        max(f.raised_at) AS last_at
    FROM fraud.flag f
    WHERE f.tenant_id = ANY (CAST(:tenants AS text[])) AND f.raised_at >= CAST(:since AS timestamptz)
    GROUP BY f.rule_id
) s ORDER BY s.hits DESC, s.rule_id LIMIT 500

-- name: contributions
-- What speaks against each teacher since :since: flags by what is known of them, and strikes; `counts` is what time has left of it.
SELECT c.*, c.points * power(0.5, extract(epoch FROM CAST(:now AS timestamptz) - c.at)::double precision
    / (86400 * CAST(:half_life_days AS double precision))) AS counts
FROM (
    SELECT f.account_id, f.tenant_id, f.report_id, 'FLAG' AS kind, f.rule_id AS what, coalesce(f.resolution, f.status) AS state,
        f.raised_at AS at,
        f.score * CASE coalesce(f.resolution, '') WHEN '' THEN CAST(:undecided AS double precision)
            WHEN 'TRUE_POSITIVE' THEN CAST(:proven AS double precision) WHEN 'INCONCLUSIVE' THEN CAST(:inconclusive AS double precision)
            ELSE CAST(:wrong AS double precision) END AS points
    FROM fraud.flag f WHERE f.raised_at >= CAST(:since AS timestamptz)
    UNION ALL
    SELECT s.account_id, s.tenant_id, s.report_id, s.kind, s.reason, NULL, s.happened_at,
        CASE s.kind WHEN 'FRAUD' THEN CAST(:fraud_points AS double precision) ELSE CAST(:rejection_points AS double precision) END
    FROM fraud.strike s
    WHERE s.happened_at >= CAST(:since AS timestamptz) AND s.taken_back_at IS NULL AND s.forgiven_at IS NULL
) c WHERE c.points > 0

-- name: risky_teachers
-- The teachers whose risk is at least :least, the highest first, at most :limit; `total` is not capped at 100.
-- with: contributions
SELECT t.*, a.username, a.school_name, a.tenant_id, a.standing, a.standing_until, a.standing_reason, a.lifetime_reports
FROM (
    SELECT c.account_id, sum(c.counts) AS total, count(*) FILTER (WHERE c.kind = 'FLAG') AS flags,
        count(*) FILTER (WHERE c.kind = 'REJECTION') AS rejections, count(*) FILTER (WHERE c.kind = 'FRAUD') AS frauds,
        max(c.at) AS last_at
    FROM contributions c WHERE c.tenant_id = ANY (CAST(:tenants AS text[]))
    GROUP BY c.account_id HAVING sum(c.counts) >= CAST(:least AS double precision)
    ORDER BY sum(c.counts) DESC, c.account_id LIMIT CAST(:limit AS bigint)
) t JOIN access.account a ON a.id = t.account_id ORDER BY t.total DESC, t.account_id

-- name: profile
-- All that one teacher's risk is made of, one row a thing.
-- with: contributions
SELECT c.kind, c.what, c.state, c.report_id, r.report_number, c.at, c.points, c.counts
FROM contributions c JOIN sdcrs.report r ON r.id = c.report_id
WHERE c.account_id = CAST(:account_id AS uuid) ORDER BY c.counts DESC, c.at DESC LIMIT 500

-- name: teacher
-- A teacher's account and standing.
SELECT a.id, a.tenant_id, a.username, a.school_code, a.school_name, a.standing, a.standing_until, a.standing_reason, a.lifetime_reports
FROM access.account a WHERE a.id = CAST(:account_id AS uuid) AND a.roles @> ARRAY['TEACHER']

-- name: penalties
-- A teacher's penalties, the newest first, with the report that caused each.
SELECT p.*, r.report_number FROM fraud.penalty p JOIN sdcrs.report r ON r.id = p.report_id
WHERE p.account_id = CAST(:account_id AS uuid) ORDER BY p.starts_at DESC, p.id DESC LIMIT CAST(:limit AS bigint)

-- name: strikes
-- What counted against a teacher, the newest first; taken back or forgiven it counts no more.
SELECT s.*, r.report_number FROM fraud.strike s JOIN sdcrs.report r ON r.id = s.report_id
WHERE s.account_id = CAST(:account_id AS uuid) ORDER BY s.happened_at DESC, s.id DESC LIMIT CAST(:limit AS bigint)

-- name: own_penalties
-- The penalties under way of the teacher who looks, the severest first.
SELECT p.id, p.code, p.reason, p.starts_at, p.until, p.appeal_role, p.appeal_until, p.appealed_at, p.appeal_text, p.appeal_decided_at,
    p.appeal_granted, p.appeal_comment, p.lift_requested_at, r.report_number
FROM fraud.penalty p JOIN sdcrs.report r ON r.id = p.report_id
WHERE p.account_id = CAST(:account_id AS uuid) AND p.status = 'ACTIVE' AND (p.until IS NULL OR p.until > CAST(:now AS timestamptz))
ORDER BY p.level DESC, p.until DESC NULLS FIRST, p.id LIMIT 20

-- name: penalised
-- The penalties under way that block, the severest first, one row a penalty with its teacher.
SELECT p.id, p.tenant_id, p.account_id, p.code, p.level, p.reason, p.starts_at, p.until, p.appealed_at, p.appeal_decided_at,
    p.lift_requested_at, p.appeal_role, a.username, a.school_name, r.report_number
FROM fraud.penalty p JOIN access.account a ON a.id = p.account_id JOIN sdcrs.report r ON r.id = p.report_id
WHERE p.tenant_id = ANY (CAST(:tenants AS text[])) AND p.status = 'ACTIVE' AND p.code <> 'WARNING'
  AND (p.until IS NULL OR p.until > CAST(:now AS timestamptz))
ORDER BY p.level DESC, p.starts_at DESC, p.id LIMIT CAST(:limit AS bigint)

-- name: appeals
-- Appeals that wait for a decision, the oldest first.
SELECT p.id, p.tenant_id, p.account_id, p.code, p.reason, p.starts_at, p.until, p.appeal_role, p.appealed_at, p.appeal_text,
    a.username, a.school_name, r.report_number
FROM fraud.penalty p JOIN access.account a ON a.id = p.account_id JOIN sdcrs.report r ON r.id = p.report_id
WHERE p.tenant_id = ANY (CAST(:tenants AS text[])) AND p.appealed_at IS NOT NULL AND p.appeal_decided_at IS NULL AND p.status = 'ACTIVE'
ORDER BY p.appealed_at, p.id LIMIT CAST(:limit AS bigint)

-- name: lifts_waiting
-- Bans that one admin wants to lift and a second must approve, the oldest first.
SELECT p.id, p.tenant_id, p.account_id, p.code, p.reason, p.starts_at, p.lift_requested_at, p.lift_requested_by, p.lift_reason,
    p.lift_forgives, p.appeal_role, a.username, a.school_name, r.report_number
FROM fraud.penalty p JOIN access.account a ON a.id = p.account_id JOIN sdcrs.report r ON r.id = p.report_id
WHERE p.tenant_id = ANY (CAST(:tenants AS text[])) AND p.lift_requested_at IS NOT NULL AND p.lifted_at IS NULL AND p.status = 'ACTIVE'
ORDER BY p.lift_requested_at, p.id LIMIT CAST(:limit AS bigint)

-- name: confirmations
-- Frauds that one admin confirmed and a second must approve, the oldest first.
SELECT c.id, c.tenant_id, c.account_id, c.report_id, c.comment, c.requested_at, c.requested_by, a.username, a.school_name, r.report_number
FROM fraud.confirmation c JOIN access.account a ON a.id = c.account_id JOIN sdcrs.report r ON r.id = c.report_id
WHERE c.tenant_id = ANY (CAST(:tenants AS text[])) AND c.status = 'REQUESTED'
ORDER BY c.requested_at, c.id LIMIT CAST(:limit AS bigint)

-- name: device_edges
-- Devices from which several teachers reported since :since, one row a device and teacher; those with most teachers first.
SELECT d.tenant_id, d.device_id, d.teachers, e.reporter_id, a.username, a.school_name, e.reports, e.last_at
FROM (
    SELECT r.tenant_id, r.device_id, count(DISTINCT r.reporter_id) AS teachers, count(*) AS reports
    FROM sdcrs.report r
    WHERE r.tenant_id = ANY (CAST(:tenants AS text[])) AND r.device_id IS NOT NULL AND r.created_at >= CAST(:since AS timestamptz)
    GROUP BY r.tenant_id, r.device_id HAVING count(DISTINCT r.reporter_id) >= CAST(:min_teachers AS bigint)
    ORDER BY count(DISTINCT r.reporter_id) DESC, count(*) DESC, r.device_id LIMIT CAST(:limit AS bigint)
) d
CROSS JOIN LATERAL (
    SELECT r.reporter_id, count(*) AS reports, max(r.created_at) AS last_at FROM sdcrs.report r
    WHERE r.tenant_id = d.tenant_id AND r.device_id = d.device_id AND r.created_at >= CAST(:since AS timestamptz)
    GROUP BY r.reporter_id ORDER BY count(*) DESC, r.reporter_id LIMIT 50
) e
JOIN access.account a ON a.id = e.reporter_id
ORDER BY d.teachers DESC, d.reports DESC, d.device_id, e.reports DESC, e.reporter_id

-- name: pair_edges
-- Pairs of reports by different teachers that may be one, found since :since and not said to be two, the newest first; one row a
-- pair with both ends, for a graph of teachers and for the map.
SELECT p.id, p.tenant_id, p.kind, p.similarity, p.metres, p.minutes, p.found_at,
    e.id AS earlier_id, e.report_number AS earlier_number, e.latitude AS earlier_latitude, e.longitude AS earlier_longitude,
    e.status AS earlier_status, e.reporter_id AS earlier_reporter_id, ea.username AS earlier_username, ea.school_name AS earlier_school,
    l.id AS later_id, l.report_number AS later_number, l.latitude AS later_latitude, l.longitude AS later_longitude,
    l.status AS later_status, l.reporter_id AS later_reporter_id, la.username AS later_username, la.school_name AS later_school
FROM fraud.pair p
JOIN sdcrs.report e ON e.id = p.earlier_id JOIN access.account ea ON ea.id = e.reporter_id
JOIN sdcrs.report l ON l.id = p.later_id JOIN access.account la ON la.id = l.reporter_id
WHERE p.tenant_id = ANY (CAST(:tenants AS text[])) AND p.found_at >= CAST(:since AS timestamptz) AND p.decision IS NULL
  AND e.reporter_id <> l.reporter_id
  AND (CAST(:kinds AS text[]) IS NULL OR p.kind = ANY (CAST(:kinds AS text[])))
ORDER BY p.found_at DESC, p.id DESC LIMIT CAST(:limit AS bigint)
