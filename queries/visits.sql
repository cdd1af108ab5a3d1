-- name: mine
-- The reports that an officer has to visit or is visiting, those under way first, then the oldest; at most 100. Nothing of the
-- reporter is read, and of the photos the dog's only.
SELECT r.id, r.version, r.tenant_id, r.report_number, r.status, r.service_type, r.description, r.latitude, r.longitude, r.address,
       r.landmark, r.locality, r.ward_code, r.ward, r.dog_count, r.is_aggressive, r.created_at, r.assigned_at, r.state_entered_at,
       r.visit_started_at, e.file_id
FROM sdcrs.report r
LEFT JOIN LATERAL (
    SELECT e.file_id FROM sdcrs.evidence e WHERE e.report_id = r.id AND e.evidence_type = 'DOG_PHOTO' ORDER BY e.id LIMIT 1
) e ON true
WHERE r.assigned_officer_id = :officer_id AND r.status IN ('ASSIGNED', 'IN_PROGRESS')
ORDER BY r.status DESC, r.created_at, r.id LIMIT 100

-- name: ended
-- One page of the visits that an officer has ended, newest first; `total` counts them all. One row with id NULL when there is none.
WITH matching AS NOT MATERIALIZED (
    SELECT r.id, r.report_number, r.tenant_id, r.status, r.service_type, r.address, r.landmark, r.locality, r.ward_code, r.ward,
           r.visit_started_at, r.visit_completed_at, r.resolution_type, r.unable_reason, r.resolution_remarks
    FROM sdcrs.report r
    WHERE r.assigned_officer_id = :officer_id
      AND r.status IN ('CAPTURED', 'UNABLE_TO_LOCATE', 'PAYOUT_PENDING', 'PAYOUT_FAILED', 'RESOLVED', 'CLOSED')
)
SELECT c.total, m.*
FROM (SELECT count(*) AS total FROM matching) c
LEFT JOIN LATERAL (SELECT * FROM matching ORDER BY visit_completed_at DESC, id DESC LIMIT :limit OFFSET :offset) m ON true
ORDER BY m.visit_completed_at DESC, m.id DESC
