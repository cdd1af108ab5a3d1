-- name: matching
-- The predicate of all report lists: a filter that is NULL filters nothing. Lists name their tenants besides.
SELECT r.id, r.tenant_id, r.created_at, r.modified_at, r.report_number, r.status, r.service_type
FROM sdcrs.report r
WHERE (CAST(:ids AS uuid[]) IS NULL OR r.id = ANY (CAST(:ids AS uuid[])))
  AND (CAST(:report_number AS text) IS NULL OR r.report_number = CAST(:report_number AS text))
  AND (CAST(:tracking_id AS text) IS NULL OR r.tracking_id = CAST(:tracking_id AS text))
  AND (CAST(:status AS text) IS NULL OR r.status = CAST(:status AS text))
  AND (CAST(:statuses AS text[]) IS NULL OR r.status = ANY (CAST(:statuses AS text[])))
  AND (CAST(:service_type AS text) IS NULL OR r.service_type = CAST(:service_type AS text))
  AND (CAST(:reporter_id AS uuid) IS NULL OR r.reporter_id = CAST(:reporter_id AS uuid))
  AND (CAST(:officer_id AS uuid) IS NULL OR r.assigned_officer_id = CAST(:officer_id AS uuid))
  AND (CAST(:locality_code AS text) IS NULL OR r.locality_code = CAST(:locality_code AS text))
  AND (CAST(:ward_code AS text) IS NULL OR r.ward_code = CAST(:ward_code AS text))
  AND (CAST(:created_from AS timestamptz) IS NULL OR r.created_at >= CAST(:created_from AS timestamptz))
  AND (CAST(:created_to AS timestamptz) IS NULL OR r.created_at <= CAST(:created_to AS timestamptz))
  AND (CAST(:sees_all AS boolean) OR r.reporter_id = CAST(:own_reporter AS uuid) OR r.assigned_officer_id = CAST(:own_officer AS uuid))

-- name: newest_first
-- with: matching
-- The ids of one page, newest first. Each tenant gives its own first rows, which its index has in order.
SELECT m.id
FROM unnest(CAST(:tenants AS text[])) AS t (id)
CROSS JOIN LATERAL (
    SELECT id, created_at FROM matching WHERE tenant_id = t.id
    ORDER BY created_at DESC, id DESC LIMIT CAST(:offset AS bigint) + CAST(:limit AS bigint)
) m
ORDER BY m.created_at DESC, m.id DESC OFFSET CAST(:offset AS bigint) LIMIT CAST(:limit AS bigint)

-- name: oldest_first
-- with: matching
-- The ids of one page, oldest first; as newest_first.
SELECT m.id
FROM unnest(CAST(:tenants AS text[])) AS t (id)
CROSS JOIN LATERAL (
    SELECT id, created_at FROM matching WHERE tenant_id = t.id
    ORDER BY created_at, id LIMIT CAST(:offset AS bigint) + CAST(:limit AS bigint)
) m
ORDER BY m.created_at, m.id OFFSET CAST(:offset AS bigint) LIMIT CAST(:limit AS bigint)

-- name: sorted
-- with: matching
-- The ids of one page by another column, of the newest :window matching reports of each tenant; no index serves these sorts.
SELECT m.id
FROM unnest(CAST(:tenants AS text[])) AS t (id)
CROSS JOIN LATERAL (SELECT * FROM matching WHERE tenant_id = t.id ORDER BY created_at DESC, id DESC LIMIT CAST(:window AS bigint)) m
ORDER BY
    CASE WHEN :sort = 'lastModifiedTime' AND :ascending THEN m.modified_at END,
    CASE WHEN :sort = 'lastModifiedTime' AND NOT :ascending THEN m.modified_at END DESC,
    CASE WHEN :ascending THEN CASE :sort WHEN 'reportNumber' THEN m.report_number WHEN 'status' THEN m.status
                                         WHEN 'serviceType' THEN m.service_type END END,
    CASE WHEN NOT :ascending THEN CASE :sort WHEN 'reportNumber' THEN m.report_number WHEN 'status' THEN m.status
                                             WHEN 'serviceType' THEN m.service_type END END DESC,
    m.created_at DESC, m.id DESC
OFFSET CAST(:offset AS bigint) LIMIT CAST(:limit AS bigint)

-- name: total
-- with: matching
-- How many reports match, counted up to :count_limit, so that a million costs no more than ten thousand.
SELECT count(*) AS total
FROM (SELECT 1 FROM matching WHERE tenant_id = ANY (CAST(:tenants AS text[])) LIMIT CAST(:count_limit AS bigint)) capped

-- name: by_ids
-- What answers tell of those of some reports that the caller may read, in no order. What the caller may not know of a
-- reporter is not read: see :sees_reporters.
SELECT r.id, r.tenant_id, r.report_number, r.tracking_id, r.service_type, r.description, r.status, r.version,
    CASE WHEN :sees_reporters OR r.reporter_id = CAST(:own_reporter AS uuid) THEN r.reporter_id END AS reporter_id,
    r.reporter_id = CAST(:own_reporter AS uuid) AS own,
    r.latitude, r.longitude, r.address, r.landmark, r.locality, r.locality_code, r.ward, r.ward_code, r.district, r.district_code,
    r.city, r.pincode, r.gps_latitude, r.gps_longitude, r.gps_accuracy_m, r.gps_at, r.gps_result, r.dog_count, r.is_aggressive,
    r.fraud_score, r.risk_level, r.recommendation, r.queue, r.awaiting_teacher_at,
    r.verified_at, r.verified_by, r.verification_remarks, r.rejected_at, r.rejected_by, r.rejection_reason, r.rejection_remarks,
    r.duplicate_of,
    r.assigned_officer_id, r.assigned_at, r.visit_started_at, r.visit_latitude, r.visit_longitude, r.visit_completed_at,
    r.completed_latitude, r.completed_longitude, r.captured_at, r.resolution_type, r.resolution_remarks, r.unable_reason,
    r.payout_eligible, r.payout_status, r.payout_amount_paise, r.payout_initiated_at, r.payout_completed_at, r.payout_failure_reason,
    r.utr, r.retry_count, r.resolved_at, r.rating, r.claimed_until, r.created_at, r.modified_at,
    CASE WHEN :sees_reporters OR r.modified_by <> r.reporter_id OR r.reporter_id = CAST(:own_reporter AS uuid) THEN r.modified_by END
        AS modified_by,
    CASE WHEN r.status IN ('RESOLVED', 'CLOSED') THEN r.resolved_at
         WHEN r.status IN ('AUTO_REJECTED', 'REJECTED', 'DUPLICATE') THEN r.rejected_at
         WHEN r.status = 'UNABLE_TO_LOCATE' THEN r.visit_completed_at
         ELSE CAST(:now AS timestamptz) END > r.sla_due_at AS sla_breached,
    CASE WHEN :sees_reporters THEN (SELECT a.school_name FROM access.account a WHERE a.id = r.reporter_id) END AS school_name
FROM sdcrs.report r
WHERE r.id = ANY (CAST(:ids AS uuid[]))
  AND (:sees_all OR r.reporter_id = CAST(:own_reporter AS uuid) OR r.assigned_officer_id = CAST(:own_officer AS uuid)) LIMIT 1000

-- name: originals
-- The numbers of the reports of which some are duplicates.
SELECT id, report_number FROM sdcrs.report WHERE id = ANY (CAST(:ids AS uuid[])) LIMIT 1000

-- name: payouts
-- The payouts of some reports, one row a report that has one, with the time of the newest retry.
SELECT o.report_id, o.id, o.manual_reference, o.method, o.manual_requested_at, o.manual_approved_at,
    (SELECT max(a.created_at) FROM payout.attempt a WHERE a.payout_id = o.id AND a.number > 0) AS last_retry_at
FROM payout.payout o
WHERE o.report_id = ANY (CAST(:report_ids AS uuid[])) LIMIT 1000

-- name: evidence
-- The photos of some reports in order of upload; selfies only where the caller may see them.
SELECT e.report_id, e.id, e.evidence_type, e.file_id, e.file_name, e.mime_type, e.file_size, e.phash, e.captured_at, e.latitude,
       e.longitude, e.device_info, e.uploaded_at, e.uploaded_by
FROM sdcrs.evidence e
WHERE e.report_id = ANY (CAST(:report_ids AS uuid[])) AND (:with_selfies OR e.evidence_type <> 'REPORTER_SELFIE')
ORDER BY e.report_id, e.id LIMIT 2000

-- name: by_numbers
-- Which reports of the caller's area have these numbers, as far as the caller may read them.
SELECT r.id, r.report_number, r.tenant_id
FROM sdcrs.report r
WHERE r.report_number = ANY (CAST(:numbers AS text[]))
  AND (:sees_all OR r.reporter_id = CAST(:own_reporter AS uuid) OR r.assigned_officer_id = CAST(:own_officer AS uuid))
ORDER BY r.report_number LIMIT 100

-- name: ward
-- The ward of a report, if the caller may read it.
SELECT r.ward_code FROM sdcrs.report r
WHERE r.id = :id
  AND (:sees_all OR r.reporter_id = CAST(:own_reporter AS uuid) OR r.assigned_officer_id = CAST(:own_officer AS uuid))

-- name: history
-- The changes of some reports, oldest first. Who acted is left out where it was a reporter whom the caller may not know.
SELECT h.id, h.report_id, h.version, h.action, h.from_state, h.to_state, h.actor_role, h.comment, h.occurred_at,
    CASE WHEN :sees_reporters OR h.actor_id <> r.reporter_id OR r.reporter_id = CAST(:own_reporter AS uuid) THEN h.actor_id END AS actor_id
FROM sdcrs.report_history h JOIN sdcrs.report r ON r.id = h.report_id
WHERE h.report_id = ANY (CAST(:report_ids AS uuid[]))
ORDER BY h.report_id, h.version LIMIT 5000
