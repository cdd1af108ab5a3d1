-- name: find
-- The registration that a text names: by its 29 digits, the hash of one of its numbers, or an id of any row on its way. NULL parts
-- name nothing. The announcement's id is the registration's id, so that what was only announced is found too.
SELECT l.id FROM regprc.registration_list l WHERE l.state_id = :state_id AND l.reg_id = CAST(:reg_id AS text)
UNION SELECT i.registration_id FROM idrepo.identifier n JOIN idrepo.identity i ON i.id = n.identity_id
    WHERE n.state_id = :state_id AND n.id_hash = CAST(:id_hash AS text)
UNION SELECT l.id FROM regprc.registration_list l WHERE l.id = CAST(:id AS uuid)
UNION SELECT s.registration_id FROM idrepo.credential_request_status s WHERE s.request_id = CAST(:id AS uuid)
UNION SELECT c.registration_id FROM credential.credential_transaction c WHERE c.id = CAST(:id AS uuid)
UNION SELECT c.registration_id FROM credential.issuance u JOIN credential.credential_transaction c ON c.id = u.request_id
    WHERE u.id = CAST(:id AS uuid) OR u.event_id = CAST(:id AS uuid)
LIMIT 2

-- name: announcement
-- What the client announced, and what became of it so far: one row, its registration's columns NULL before the upload.
SELECT l.id, l.tenant_id, l.state_id, l.reg_id, l.process, l.source, l.schema_version, l.lang_code, l.supervisor_status, l.supervisor_comment,
       l.upload_number, l.synced_at, l.synced_by, l.uploaded_at,
       r.status_code, r.sub_status_code, r.status_comment, r.stage, r.latest_trn_type_code, r.latest_trn_status_code, r.latest_trn_at,
       r.attempts, r.next_attempt_at, r.resume_at, r.default_resume_action, r.pause_rule, r.identity_id, r.received_at, r.processed_at,
       r.modified_at
FROM regprc.registration_list l LEFT JOIN regprc.registration r ON r.id = l.id
WHERE l.id = :id

-- name: announced
-- The components as they were announced.
SELECT name, size_bytes, encode(sha256, 'hex') AS sha256 FROM regprc.registration_list_component WHERE list_id = :id ORDER BY name LIMIT 20

-- name: components
-- The components that came, of every upload, the newest first.
SELECT upload_number, name, size_bytes, encode(sha256, 'hex') AS sha256, verified, mismatch, stored_at
FROM regprc.component WHERE registration_id = :id ORDER BY upload_number DESC, name LIMIT 60

-- name: transactions
-- What each stage, a person or the calendar did with it, oldest first.
SELECT id, upload_number, trn_type_code, status_code, sub_status_code, status_comment, reason, attempt, details, actor_id, started_at, ended_at
FROM regprc.registration_transaction WHERE registration_id = :id ORDER BY id LIMIT 500

-- name: pairs
-- Whom it was compared with, and what a person said of it.
SELECT m.id, m.tenant_id, m.registration_id, m.candidate_id, m.score, m.status_code, m.decided_by, m.decided_at, m.reason, m.created_at,
       c.reg_id AS candidate_reg_id
FROM regprc.manual_verification m LEFT JOIN regprc.registration c ON c.id = m.candidate_id
WHERE m.registration_id = :id ORDER BY m.score DESC, m.id LIMIT 50

-- name: numbers
-- The identity's numbers, without the numbers.
SELECT n.id, n.kind, n.id_hash, n.status_code, n.expires_at, n.transaction_limit, n.created_at, i.status_code AS identity_status
FROM idrepo.identity i JOIN idrepo.identifier n ON n.identity_id = i.id
WHERE i.registration_id = :id ORDER BY n.created_at, n.id LIMIT 50

-- name: wanted
-- Step 3: a row for each number and partner.
SELECT s.id, s.individual_id_hash, s.partner_id, n.kind, s.status, s.request_id, s.status_comment, s.attempts, s.next_attempt_at, s.dead_at,
       s.cr_dtimes, s.upd_dtimes
FROM idrepo.credential_request_status s JOIN idrepo.identifier n ON n.id = s.identifier_id
WHERE s.registration_id = :id ORDER BY s.cr_dtimes, s.id LIMIT 50

-- name: requests
-- Steps 3 and 4: the generator's requests.
SELECT c.id, c.partner_id, c.individual_id_hash, c.status_code, c.status_comment, c.credential_id, c.issuance_date, c.trn_retry_count,
       c.issuances, c.next_attempt_at, c.dead_at, c.stored_at, c.cr_dtimes, c.upd_dtimes
FROM credential.credential_transaction c WHERE c.registration_id = :id ORDER BY c.cr_dtimes, c.id LIMIT 50

-- name: issuances
-- Step 4: each issuance of each request with what it shared, and step 5: its event, how often the hub delivered it, and what
-- became of it on the other side.
SELECT u.id, u.request_id, u.number, u.status_code, u.status_comment, u.published, u.begun_at, u.ended_at, u.event_id,
       s.expires_at, s.uses, s.uses_allowed, s.erased_at,
       w.published_at, d.deliveries, d.failing, d.delivered_at, d.dead_at AS delivery_dead_at, d.next_attempt_at AS delivery_next_at,
       d.status_comment AS delivery_comment,
       e.status_code AS event_status, e.status_comment AS event_comment, e.retry_count, e.deliveries AS received,
       e.next_attempt_at AS event_next_at, e.cr_dtimes AS event_at, e.ended_at AS event_ended_at, e.acknowledged_at,
       k.cr_dtimes AS cached_at, k.expiry_timestamp, k.transaction_limit, k.transactions_used
FROM credential.issuance u
JOIN credential.credential_transaction c ON c.id = u.request_id
LEFT JOIN datashare.share s ON s.id = u.share_id
LEFT JOIN websub.event w ON w.id = u.event_id
LEFT JOIN LATERAL (
    SELECT sum(v.attempts) AS deliveries, count(*) FILTER (WHERE v.status_code = 'FAILED') AS failing, max(v.delivered_at) AS delivered_at,
           max(v.dead_at) AS dead_at, max(v.next_attempt_at) AS next_attempt_at, max(v.status_comment) AS status_comment
    FROM websub.delivery v WHERE v.event_id = u.event_id
) d ON true
LEFT JOIN ida.credential_event_store e ON e.event_id = u.event_id
LEFT JOIN ida.identity_cache k ON k.event_id = u.event_id
WHERE c.registration_id = :id ORDER BY u.begun_at, u.id LIMIT 100

-- name: headers
-- Every message about it, in the order in which they were written.
SELECT p.id, p.packet, p.version, p.sender, p.receiver, p.topic, p.key, p.occurred_at, p.correlation_id, p.causation_id, p.subject_id,
       p.body IS NOT NULL AS has_body
FROM packet.log p WHERE p.subject_kind = 'REGISTRATION' AND p.subject_id = :id ORDER BY p.occurred_at, p.id LIMIT 1000

-- name: body
-- What one message said, where it crossed our border.
SELECT p.body FROM packet.log p WHERE p.subject_id = :id AND p.id = :packet_id

-- name: subscriptions
-- Who has subscribed at the hub, the newest last: the two messages that are about no registration.
SELECT id, topic, status_code, asked_at, verified_at, expires_at FROM websub.subscription ORDER BY asked_at, id LIMIT 100

-- name: matching
-- The one predicate of list, counts and bulk acts: registrations of some tenants in one queue, narrowed by stage and sub-status.
-- Each queue is found by an index of its own; the branches of the others cost nothing.
SELECT l.id, l.tenant_id, l.reg_id, l.process, NULL::text AS status_code, NULL::text AS sub_status_code, NULL::text AS status_comment,
       NULL::text AS stage, 0 AS attempts, l.synced_at AS since, l.synced_at AS received_at, NULL::timestamptz AS next_attempt_at
FROM regprc.registration_list l
WHERE CAST(:queue AS text) = 'ANNOUNCED' AND l.uploaded_at IS NULL AND l.tenant_id = ANY (CAST(:tenants AS text[]))
  AND CAST(:stage AS text) IS NULL AND CAST(:sub_status AS text) IS NULL
UNION ALL
SELECT r.id, r.tenant_id, r.reg_id, r.process, r.status_code, r.sub_status_code, r.status_comment, r.stage, r.attempts,
       coalesce(r.latest_trn_at, r.received_at), r.received_at, r.next_attempt_at
FROM regprc.registration r
WHERE r.tenant_id = ANY (CAST(:tenants AS text[]))
  AND r.status_code = ANY (CASE CAST(:queue AS text)
        WHEN 'STAGES' THEN ARRAY['PROCESSING', 'RESUMABLE', 'REPROCESS']
        WHEN 'PAUSED' THEN ARRAY['PAUSED', 'PAUSED_FOR_ADDITIONAL_INFO']
        WHEN 'FAILED' THEN ARRAY['FAILED', 'REPROCESS_FAILED']
        WHEN 'REJECTED' THEN ARRAY['REJECTED'] ELSE ARRAY[]::text[] END)
  AND (CAST(:stage AS text) IS NULL OR r.stage = :stage)
  AND (CAST(:sub_status AS text) IS NULL OR r.sub_status_code = :sub_status)
UNION ALL
SELECT r.id, r.tenant_id, r.reg_id, r.process, r.status_code, coalesce(c.status_code, s.status), coalesce(c.status_comment, s.status_comment),
       'CREDENTIAL', coalesce(c.trn_retry_count, s.attempts), coalesce(c.upd_dtimes, s.upd_dtimes), r.received_at, NULL
FROM idrepo.credential_request_status s
JOIN regprc.registration r ON r.id = s.registration_id
LEFT JOIN credential.credential_transaction c ON c.id = s.request_id
WHERE CAST(:queue AS text) = 'CREDENTIALS' AND r.tenant_id = ANY (CAST(:tenants AS text[]))
  AND s.status IN ('NEW', 'REQUESTED', 'FAILED') AND coalesce(c.status_code, 'NEW') NOT IN ('STORED', 'CANCELLED')
  AND CAST(:stage AS text) IS NULL AND (CAST(:sub_status AS text) IS NULL OR coalesce(c.status_code, s.status) = :sub_status)

-- name: list
-- A page of a queue, the one that waits longest first; a registration with several open credentials stands once for each.
-- with: matching
SELECT * FROM matching m ORDER BY m.since, m.id LIMIT :limit OFFSET :offset

-- name: ids
-- Registrations of a queue, each once, the one that waits longest first.
-- with: matching
SELECT m.id, min(m.reg_id) AS reg_id, min(m.since) AS since FROM matching m GROUP BY m.id ORDER BY min(m.since), m.id LIMIT :limit

-- name: queues
-- One row per queue that is not empty, counted up to :count_limit.
SELECT q.queue, n.found, n.oldest_at
FROM unnest(ARRAY['ANNOUNCED', 'STAGES', 'PAUSED', 'FAILED', 'REJECTED', 'CREDENTIALS']) AS q (queue)
CROSS JOIN LATERAL (
    SELECT count(*) AS found, min(x.since) AS oldest_at FROM (
        SELECT l.synced_at AS since FROM regprc.registration_list l
        WHERE q.queue = 'ANNOUNCED' AND l.uploaded_at IS NULL AND l.tenant_id = ANY (CAST(:tenants AS text[]))
        UNION ALL
        SELECT coalesce(r.latest_trn_at, r.received_at) FROM regprc.registration r
        WHERE r.tenant_id = ANY (CAST(:tenants AS text[]))
          AND r.status_code = ANY (CASE q.queue
                WHEN 'STAGES' THEN ARRAY['PROCESSING', 'RESUMABLE', 'REPROCESS']
                WHEN 'PAUSED' THEN ARRAY['PAUSED', 'PAUSED_FOR_ADDITIONAL_INFO']
                WHEN 'FAILED' THEN ARRAY['FAILED', 'REPROCESS_FAILED']
                WHEN 'REJECTED' THEN ARRAY['REJECTED'] ELSE ARRAY[]::text[] END)
        UNION ALL
        SELECT coalesce(c.upd_dtimes, s.upd_dtimes) FROM idrepo.credential_request_status s
        LEFT JOIN credential.credential_transaction c ON c.id = s.request_id
        WHERE q.queue = 'CREDENTIALS' AND s.tenant_id = ANY (CAST(:tenants AS text[]))
          AND s.status IN ('NEW', 'REQUESTED', 'FAILED') AND coalesce(c.status_code, 'NEW') NOT IN ('STORED', 'CANCELLED')
        LIMIT CAST(:count_limit AS bigint)
    ) x
) n
WHERE n.found > 0

-- name: sub_statuses
-- Stages and sub-statuses that occur in a queue, most often first.
-- with: matching
SELECT m.stage, m.sub_status_code, count(*) AS found FROM (SELECT stage, sub_status_code FROM matching LIMIT CAST(:count_limit AS bigint)) m
GROUP BY m.stage, m.sub_status_code ORDER BY count(*) DESC, 1, 2 LIMIT 50

-- name: steps
-- Where everything is now: one row per place on the way, with how many wait there and since when the oldest does. A place of step 2
-- is a stage, of the others what is waited for.
SELECT p.step, p.place, p.waiting, p.oldest_at FROM (
SELECT 1 AS step, 'UPLOAD' AS place, count(*) AS waiting, min(l.synced_at) AS oldest_at
FROM regprc.registration_list l WHERE l.uploaded_at IS NULL AND l.tenant_id = ANY (CAST(:tenants AS text[]))
UNION ALL
SELECT 2, r.stage, count(*), min(coalesce(r.latest_trn_at, r.received_at)) FROM regprc.registration r
WHERE r.tenant_id = ANY (CAST(:tenants AS text[]))
  AND r.status_code IN ('PROCESSING', 'RESUMABLE', 'REPROCESS', 'PAUSED', 'PAUSED_FOR_ADDITIONAL_INFO') GROUP BY r.stage
UNION ALL
SELECT 3, 'REQUEST', count(*), min(s.cr_dtimes) FROM idrepo.credential_request_status s
WHERE s.status IN ('NEW', 'FAILED') AND s.tenant_id = ANY (CAST(:tenants AS text[]))
UNION ALL
SELECT 4, 'ISSUE', count(*), min(c.cr_dtimes) FROM credential.credential_transaction c
WHERE c.status_code IN ('NEW', 'FAILED', 'RETRY') AND c.tenant_id = ANY (CAST(:tenants AS text[]))
UNION ALL
SELECT 5, 'DELIVERY', count(*), min(c.issuance_date) FROM credential.credential_transaction c
WHERE c.status_code = 'ISSUED' AND c.tenant_id = ANY (CAST(:tenants AS text[]))
  AND NOT EXISTS (SELECT FROM ida.credential_event_store e WHERE e.credential_transaction_id = c.id)
UNION ALL
SELECT 5, 'STORE', count(*), min(e.cr_dtimes) FROM ida.credential_event_store e
WHERE e.status_code IN ('NEW', 'FAILED') AND e.tenant_id = ANY (CAST(:tenants AS text[]))
UNION ALL
SELECT 6, 'ACKNOWLEDGE', count(*), min(e.ended_at) FROM ida.credential_event_store e
WHERE e.ended_at IS NOT NULL AND e.acknowledged_at IS NULL AND e.tenant_id = ANY (CAST(:tenants AS text[]))
UNION ALL
SELECT 6, 'ANSWER', count(*), min(e.acknowledged_at) FROM ida.credential_event_store e
JOIN credential.credential_transaction c ON c.id = e.credential_transaction_id AND c.status_code = 'ISSUED' AND c.credential_id = e.credential_id
WHERE e.acknowledged_at IS NOT NULL AND e.tenant_id = ANY (CAST(:tenants AS text[]))
) p WHERE p.waiting > 0 ORDER BY p.step, p.oldest_at

-- name: funnel
-- One row: how far those have come that were announced since :from_at. `cached`, `stored`: every credential that the identity has.
SELECT count(*) AS announced, count(r.id) AS uploaded, count(r.processed_at) AS processed,
       count(*) FILTER (WHERE s.requested = s.wanted) AS requested, count(*) FILTER (WHERE s.issued = s.wanted) AS issued,
       count(*) FILTER (WHERE s.cached = s.wanted) AS cached, count(*) FILTER (WHERE s.stored = s.wanted) AS stored,
       count(*) FILTER (WHERE r.status_code IN ('FAILED', 'REPROCESS_FAILED')) AS failed,
       count(*) FILTER (WHERE r.status_code = 'REJECTED') AS rejected
FROM regprc.registration_list l
LEFT JOIN regprc.registration r ON r.id = l.id
LEFT JOIN LATERAL (
    SELECT count(*) AS wanted, count(*) FILTER (WHERE w.status = 'REQUESTED') AS requested,
           count(*) FILTER (WHERE c.issuances > 0) AS issued,
           count(*) FILTER (WHERE c.status_code = 'STORED' OR EXISTS (SELECT FROM ida.identity_cache k WHERE k.credential_transaction_id = c.id)) AS cached,
           count(*) FILTER (WHERE c.status_code = 'STORED') AS stored
    FROM idrepo.credential_request_status w LEFT JOIN credential.credential_transaction c ON c.id = w.request_id
    WHERE w.registration_id = r.id AND w.status IN ('NEW', 'REQUESTED', 'FAILED') HAVING count(*) > 0
) s ON r.processed_at IS NOT NULL
WHERE l.tenant_id = ANY (CAST(:tenants AS text[])) AND l.synced_at >= :from_at

-- name: throughput
-- One row an hour since :from_at in which something ended: registrations uploaded, processed, and credentials stored.
SELECT h.hour, sum(h.uploaded)::bigint AS uploaded, sum(h.processed)::bigint AS processed, sum(h.stored)::bigint AS stored
FROM (SELECT date_trunc('hour', r.received_at) AS hour, count(*) AS uploaded, 0 AS processed, 0 AS stored FROM regprc.registration r
      WHERE r.tenant_id = ANY (CAST(:tenants AS text[])) AND r.received_at >= :from_at GROUP BY 1
      UNION ALL
      SELECT date_trunc('hour', r.processed_at), 0, count(*), 0 FROM regprc.registration r
      WHERE r.tenant_id = ANY (CAST(:tenants AS text[])) AND r.processed_at >= :from_at GROUP BY 1
      UNION ALL
      SELECT date_trunc('hour', k.cr_dtimes), 0, 0, count(*) FROM ida.identity_cache k
      WHERE k.tenant_id = ANY (CAST(:tenants AS text[])) AND k.cr_dtimes >= :from_at GROUP BY 1) h
GROUP BY h.hour ORDER BY h.hour LIMIT 800

-- name: failures
-- What did not succeed since :from_at, by stage and sub-status, most often first.
SELECT t.trn_type_code AS stage, coalesce(t.sub_status_code, t.status_code) AS sub_status, count(*) AS found,
       count(DISTINCT t.registration_id) AS registrations
FROM regprc.registration_transaction t
WHERE t.tenant_id = ANY (CAST(:tenants AS text[])) AND t.ended_at >= :from_at
  AND t.status_code IN ('FAILED', 'ERROR', 'REJECTED', 'REPROCESS', 'REPROCESS_FAILED')
GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 20

-- name: to_decide
-- Pairs that wait for a person, the oldest first, at most :limit. The other registration's columns are NULL outside the caller's area.
SELECT m.id, m.tenant_id, m.registration_id, m.candidate_id, m.score, m.explanation, m.created_at, r.reg_id, r.status_code,
       c.reg_id AS candidate_reg_id
FROM regprc.manual_verification m
JOIN regprc.registration r ON r.id = m.registration_id
LEFT JOIN regprc.registration c ON c.id = m.candidate_id
WHERE m.status_code = 'PENDING' AND m.tenant_id = ANY (CAST(:tenants AS text[]))
ORDER BY m.created_at, m.id LIMIT :limit

-- name: to_decide_of
-- The pairs of one registration that wait for a person, the likest first.
SELECT m.id, m.tenant_id, m.registration_id, m.candidate_id, m.score, m.explanation, m.created_at, r.reg_id, r.status_code,
       c.reg_id AS candidate_reg_id
FROM regprc.manual_verification m
JOIN regprc.registration r ON r.id = m.registration_id
LEFT JOIN regprc.registration c ON c.id = m.candidate_id
WHERE m.status_code = 'PENDING' AND m.registration_id = :id ORDER BY m.score DESC, m.id LIMIT 20

-- name: demographics
-- What a registration is compared by, sealed; no row outside the caller's area.
SELECT demographics_sealed FROM regprc.demographic WHERE id = :id

-- name: decide_count
-- How many pairs wait for a person, and since when the oldest does.
SELECT count(*) AS found, min(created_at) AS oldest_at FROM regprc.manual_verification
WHERE status_code = 'PENDING' AND tenant_id = ANY (CAST(:tenants AS text[]))

-- name: payee
-- How a teacher was found to be who they say they are, with the registration behind the credential: one row, its parts NULL where
-- nothing is known. `entered_at`: when an admin entered a UIN.
SELECT a.id, y.status, y.score, y.source, y.account_name, y.checked_at, n.entered_at, l.reg_id
FROM access.account a
LEFT JOIN payout.payee y ON y.account_id = a.id
LEFT JOIN payout.payee_number n ON n.account_id = a.id AND n.kind = 'UIN'
LEFT JOIN ida.identity_cache k ON k.credential_id = y.credential_id
LEFT JOIN ida.credential_event_store e ON e.event_id = k.event_id
LEFT JOIN regprc.registration_list l ON l.id = e.registration_id
WHERE a.id = :account_id
