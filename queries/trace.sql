-- name: find
-- The one report that a text names, as far as the caller may read it; NULL parts name nothing. `own`: the caller sent it.
SELECT r.id, r.reporter_id = CAST(:account_id AS uuid) AS own
FROM sdcrs.report r
WHERE (r.report_number = CAST(:number AS text) OR r.tracking_id = CAST(:tracking_id AS text) OR r.id = CAST(:id AS uuid))
  AND (CAST(:sees_all AS boolean) OR r.reporter_id = CAST(:own_reporter AS uuid) OR r.assigned_officer_id = CAST(:own_officer AS uuid))
LIMIT 1

-- name: recent
-- The newest reports that the caller may read, one row a report; each tenant gives its own newest, which its index has in order.
SELECT m.*
FROM unnest(CAST(:tenants AS text[])) AS t (id)
CROSS JOIN LATERAL (
    SELECT r.id, r.tenant_id, r.report_number, r.status, r.service_type, r.created_at, r.modified_at, r.ward, r.locality
    FROM sdcrs.report r
    WHERE r.tenant_id = t.id
      AND (CAST(:sees_all AS boolean) OR r.reporter_id = CAST(:own_reporter AS uuid) OR r.assigned_officer_id = CAST(:own_officer AS uuid))
    ORDER BY r.created_at DESC, r.id DESC
    LIMIT CAST(:limit AS bigint)
) m
ORDER BY m.created_at DESC, m.id DESC
LIMIT CAST(:limit AS bigint)

-- name: report
-- The report with all that packets tell of it. The reporter is read only where :sees_reporter says that the caller may know.
SELECT r.id, r.tenant_id, r.state_id, r.report_number, r.tracking_id, r.service_type, r.description, r.status, r.version,
    CASE WHEN CAST(:sees_reporter AS boolean) THEN r.reporter_id END AS reporter_id,
    CASE WHEN CAST(:sees_reporter AS boolean) THEN a.school_name END AS school_name,
    CASE WHEN CAST(:sees_reporter AS boolean) THEN r.device_id END AS device_id,
    r.reporter_id = CAST(:account_id AS uuid) AS own,
    r.latitude, r.longitude, r.address, r.landmark, r.locality, r.locality_code, r.ward, r.ward_code, r.district, r.district_code,
    r.city, r.pincode, r.gps_latitude, r.gps_longitude, r.gps_accuracy_m, r.gps_at, r.gps_result, r.dog_count, r.is_aggressive,
    r.validated_at, CASE WHEN CAST(:reviews AS boolean) THEN r.fraud_score END AS fraud_score,
    CASE WHEN CAST(:reviews AS boolean) THEN r.risk_level END AS risk_level,
    CASE WHEN CAST(:reviews AS boolean) THEN r.recommendation END AS recommendation,
    r.queue, r.awaiting_teacher_at, r.paused_s,
    r.verified_at, r.verified_by, r.verification_remarks, r.rejected_at, r.rejected_by, r.rejection_reason,
    CASE WHEN CAST(:reviews AS boolean) OR r.status <> 'AUTO_REJECTED' THEN r.rejection_remarks END AS rejection_remarks,
    CASE WHEN CAST(:reviews AS boolean) THEN r.duplicate_of END AS duplicate_of,
    CASE WHEN CAST(:reviews AS boolean) THEN d.report_number END AS duplicate_of_number,
    r.assigned_officer_id, r.assigned_at, r.assigned_by, r.visit_started_at, r.visit_latitude, r.visit_longitude,
    r.visit_completed_at, r.completed_latitude, r.completed_longitude, r.captured_at, r.resolution_type, r.resolution_remarks,
    r.unable_reason,
    CASE WHEN CAST(:sees_reporter AS boolean) THEN r.payout_eligible END AS payout_eligible,
    CASE WHEN CAST(:sees_reporter AS boolean) THEN r.payout_status END AS payout_status,
    CASE WHEN CAST(:sees_reporter AS boolean) THEN r.payout_amount_paise END AS payout_amount_paise,
    CASE WHEN CAST(:sees_reporter AS boolean) THEN r.payout_initiated_at END AS payout_initiated_at,
    CASE WHEN CAST(:sees_reporter AS boolean) THEN r.payout_completed_at END AS payout_completed_at,
    CASE WHEN CAST(:sees_reporter AS boolean) THEN r.payout_failure_reason END AS payout_failure_reason,
    CASE WHEN CAST(:sees_reporter AS boolean) THEN r.utr END AS utr,
    r.retry_count, r.resolved_at, r.rating, r.claimed_by, r.claimed_until, r.state_entered_at, r.sla_due_at, r.created_at,
    r.modified_at, CASE WHEN CAST(:sees_reporter AS boolean) OR r.modified_by <> r.reporter_id THEN r.modified_by END AS modified_by,
    CASE WHEN r.status IN ('RESOLVED', 'CLOSED') THEN r.resolved_at
         WHEN r.status IN ('AUTO_REJECTED', 'REJECTED', 'DUPLICATE') THEN r.rejected_at
         WHEN r.status = 'UNABLE_TO_LOCATE' THEN r.visit_completed_at
         ELSE CAST(:now AS timestamptz) END > r.sla_due_at AS sla_breached
FROM sdcrs.report r
JOIN access.account a ON a.id = r.reporter_id
LEFT JOIN sdcrs.report d ON d.id = r.duplicate_of
WHERE r.id = CAST(:id AS uuid)

-- name: evidence
-- A report's photos in order of upload, with what their files say of themselves; selfies only where the caller may see them.
-- Whose phone took a teacher's photo is told only to those who may know the reporter.
SELECT e.id, e.report_id, e.evidence_type, e.file_id, e.file_name, e.mime_type, e.file_size, e.sha256, e.phash, e.claimed_hash,
    e.claimed_at, e.captured_at, e.latitude, e.longitude, e.uploaded_at, e.uploaded_by, e.created_at,
    CASE WHEN CAST(:with_selfies AS boolean) OR e.evidence_type = 'CAPTURE_PHOTO' THEN e.device_info END AS device_info,
    CASE WHEN CAST(:with_selfies AS boolean) OR e.evidence_type = 'CAPTURE_PHOTO' THEN f.exif_device END AS exif_device,
    CASE WHEN CAST(:with_selfies AS boolean) OR e.evidence_type = 'CAPTURE_PHOTO' THEN f.exif_software END AS exif_software,
    f.exif_present, f.exif_latitude, f.exif_longitude, f.exif_gps_at, f.exif_taken_at, f.exif_offset_min, f.width_px, f.height_px
FROM sdcrs.evidence e JOIN sdcrs.file f ON f.id = e.file_id
WHERE e.report_id = CAST(:report_id AS uuid) AND f.erased_at IS NULL
  AND (CAST(:with_selfies AS boolean) OR e.evidence_type <> 'REPORTER_SELFIE')
ORDER BY e.id LIMIT 50

-- name: checks
-- The automatic checks of a report in their order, one row a check.
SELECT name, position, passed, measured, limit_value, unit, reason, details, rule_version, checked_at
FROM fraud.check_result WHERE report_id = CAST(:report_id AS uuid) ORDER BY position LIMIT 20

-- name: rules
-- The fraud rules that fired, those that could not be evaluated and those that were skipped, the weightiest first, one row a rule.
-- Every other rule of that version was evaluated and did not fire.
SELECT rule_id, rule_code, rule_name, category, condition_type, outcome, score, weight, threshold, value, message, details, rejects,
    rules_version, evaluated_at
FROM fraud.rule_result WHERE report_id = CAST(:report_id AS uuid)
ORDER BY outcome = 'FIRED' DESC, score DESC, weight DESC, outcome, rule_id LIMIT 200

-- name: evaluation
-- A report's last evaluation as a whole: how many rules were looked at, by which version, what was counted and found.
SELECT number, evaluated_at, rules_version, limits_version, passed, score, risk_level, recommendation, rules_looked_at, findings, features
FROM fraud.evaluation WHERE report_id = CAST(:report_id AS uuid) ORDER BY number DESC LIMIT 1

-- name: history
-- The changes of a report, oldest first. Who acted is left out where it was the reporter and the caller may not know them.
-- What the checks said in numbers is for reviewers, so that nobody learns how to pass them, and so is another teacher's report;
-- the reporter alone (:own) reads what is meant for them, officers and supervisors read nothing of payouts.
SELECT h.id, h.version, h.action, h.from_state, h.to_state, h.actor_role, h.correlation_id, h.occurred_at,
    CASE WHEN CAST(:sees_reporter AS boolean) OR h.actor_id <> r.reporter_id THEN h.actor_id END AS actor_id,
    CASE WHEN CAST(:reviews AS boolean) THEN h.comment
         WHEN h.actor_role = 'SYSTEM' THEN NULL
         WHEN NOT CAST(:own AS boolean) OR h.action IN ('SUBMIT', 'SEND_BACK', 'COMMENT', 'RATE') THEN h.comment END AS comment,
    CASE WHEN CAST(:reviews AS boolean) THEN h.facts
         ELSE h.facts - ARRAY['fraud_score', 'risk_level', 'recommendation', 'duplicateOfNumber', 'duplicate_of', 'auto_rejected']
              - CASE WHEN h.actor_role = 'SYSTEM' THEN 'rejection_remarks' ELSE '' END
              - CASE WHEN CAST(:sees_reporter AS boolean) THEN ARRAY[]::text[]
                     ELSE ARRAY['payout_eligible', 'payout_status', 'payout_amount_paise', 'payout_failure_reason', 'payout_initiated_at',
                                'payout_completed_at', 'utr', 'manualPaymentMethod', 'manualPaymentReference'] END
    END AS facts
FROM sdcrs.report_history h JOIN sdcrs.report r ON r.id = h.report_id
WHERE h.report_id = CAST(:report_id AS uuid)
ORDER BY h.version LIMIT 500

-- name: packets
-- The packets about a report, its photos and its payout, oldest first, one row a packet. Uploads of selfies are listed only for
-- those who may see them, payout packets (stages 07 to 09) only for those who may know of it. `has_body`: what crossed our
-- border is kept.
SELECT p.id, p.packet, p.version, p.sender, p.receiver, p.topic, p.key, p.subject_kind, p.causation_id, p.correlation_id,
    p.occurred_at, p.body IS NOT NULL AS has_body, p.subject_id
FROM packet.log p
WHERE p.subject_id = ANY (ARRAY(
    SELECT CAST(:report_id AS uuid)
    UNION ALL
    SELECT e.file_id FROM sdcrs.evidence e
    WHERE e.report_id = CAST(:report_id AS uuid) AND (CAST(:sees_reporter AS boolean) OR e.evidence_type <> 'REPORTER_SELFIE')
    UNION ALL
    SELECT o.id FROM payout.payout o WHERE o.report_id = CAST(:report_id AS uuid) AND CAST(:sees_reporter AS boolean)
))
  AND (CAST(:sees_reporter AS boolean) OR substr(p.packet, 1, 2) NOT IN ('07', '08', '09'))
ORDER BY p.occurred_at, p.recorded_at, p.id
LIMIT 500

-- name: packet
-- The stored body of one packet of a list that the caller has read.
SELECT p.id, p.body FROM packet.log p WHERE p.id = CAST(:id AS uuid) AND p.subject_id = CAST(:subject_id AS uuid)

-- name: notification
-- One message as it was made; its recipient and what it says are left out for a caller who may not know the reporter where it
-- went to the reporter, or tells not of a change of the report but of something that happened to the reporter.
SELECT m.id, m.tenant_id, m.template_id, m.locale, m.status, m.created_at, m.sent_at,
    CASE WHEN m.shown THEN m.recipient_id END AS recipient_id, CASE WHEN m.shown THEN m.params END AS params
FROM (
    SELECT n.*, CAST(:sees_reporter AS boolean) OR (n.recipient_id <> r.reporter_id AND EXISTS (
        SELECT FROM sdcrs.report_history h WHERE h.report_id = n.report_id AND h.id = n.history_id)) AS shown
    FROM sdcrs.notification n JOIN sdcrs.report r ON r.id = n.report_id
) m
WHERE m.id = CAST(:id AS uuid) AND m.report_id = CAST(:report_id AS uuid)

-- name: actors
-- Who acted on a report, one row a person; its reporter only where the caller may know them.
SELECT DISTINCT h.actor_id FROM sdcrs.report_history h JOIN sdcrs.report r ON r.id = h.report_id
WHERE h.report_id = CAST(:report_id AS uuid) AND (CAST(:sees_reporter AS boolean) OR h.actor_id <> r.reporter_id)
LIMIT 100

-- name: payout
-- What is owed for a report, at most one row.
SELECT o.id, o.tenant_id, o.status, o.amount_paise, o.currency, o.cap_month, o.retry_count, o.utr, o.failure_reason, o.failure_text,
    o.next_retry_at, o.method, o.manual_reference, o.manual_amount_paise, o.manual_exception, o.manual_requested_at, o.manual_requested_by,
    o.manual_approved_at, o.manual_approved_by, o.completed_at, o.needs_person, o.created_at, o.modified_at, o.beneficiary_id
FROM payout.payout o WHERE o.report_id = CAST(:report_id AS uuid)

-- name: attempts
-- The attempts to pay it, oldest first, one row an attempt; ids of the provider's contact and account beside.
SELECT t.id, t.number, t.reference_id, t.phase, t.sends, t.tries, t.next_send_at, t.next_poll_at, t.provider_payout_id,
    t.provider_status, t.reason, t.reason_text, t.last_error, t.utr, t.fees_paise, t.tax_paise, t.created_at, t.first_sent_at,
    t.accepted_at, t.modified_at, f.provider_contact_id AS contact_id, f.provider_fund_account_id AS fund_account
FROM payout.attempt t LEFT JOIN payout.fund_account f ON f.id = t.fund_account_id
WHERE t.payout_id = CAST(:payout_id AS uuid)
ORDER BY t.number LIMIT 10

-- name: failures
-- The jobs that failed on a report or its payout and have not succeeded since, one row a job.
SELECT job, attempts, error, failed_at, next_attempt_at, dead_at
FROM jobs.failure WHERE subject = ANY (CAST(:subjects AS uuid[])) ORDER BY failed_at DESC LIMIT 10

-- name: files
-- The uploaded files behind a report's photos, for the packets of their upload.
SELECT f.id, f.tenant_id, f.module, f.tag, f.file_name, f.content_type, f.size_bytes, f.uploaded_at
FROM sdcrs.file f WHERE f.id = CAST(:id AS uuid)

-- name: people
-- User names and roles of some accounts, one row an account.
SELECT id, username, roles, school_code, school_name FROM access.account WHERE id = ANY (CAST(:ids AS uuid[])) LIMIT 1000
