-- Registrations that wait at every step of the flow until :due: 40 of 100 in the stages, the rest by thirds before the generator,
-- before the credential service and on the authentication side. Their sealed values are no values; nobody opens what is not due.
CREATE TEMPORARY TABLE flight ON COMMIT DROP AS
SELECT g AS n, gen_random_uuid() AS id, gen_random_uuid() AS identity_id, gen_random_uuid() AS identifier_id, gen_random_uuid() AS request_id,
       gen_random_uuid() AS credential_id, gen_random_uuid() AS event_id, lpad(g::text, 29, '0') AS reg_id,
       upper(encode(sha256(g::text::bytea), 'hex')) AS hash, CASE WHEN g % 10 < 4 THEN 0 WHEN g % 10 < 6 THEN 1 WHEN g % 10 < 8 THEN 2 ELSE 3 END AS step
FROM generate_series(1, :number) AS g;
ANALYZE flight;

INSERT INTO regprc.registration_list (id, tenant_id, state_id, reg_id, process, source, schema_version, supervisor_status, synced_by, synced_at, uploaded_at)
SELECT id, :tenant_id, :state_id, reg_id, 'NEW', 'REGISTRATION_CLIENT', '0.1', 'APPROVED', :by, :now, :now FROM flight;

INSERT INTO regprc.registration (id, tenant_id, state_id, reg_id, process, source, schema_version, upload_number, status_code, sub_status_code,
                                 stage, attempts, next_attempt_at, received_by, received_at, processed_at, modified_at)
SELECT id, :tenant_id, :state_id, reg_id, 'NEW', 'REGISTRATION_CLIENT', '0.1', 1, CASE WHEN step = 0 THEN 'PROCESSING' ELSE 'PROCESSED' END, NULL,
       CASE WHEN step = 0 THEN 'DEMO_DEDUPE' ELSE 'FINALIZATION' END, 0, :due, :by, :now, CASE WHEN step > 0 THEN CAST(:now AS timestamptz) END, :now FROM flight;

INSERT INTO regprc.demographic_key (registration_id, kind, tenant_id, state_id, key_hash)
SELECT id, kind, :tenant_id, :state_id, sha256((kind || n)::bytea)
FROM flight CROSS JOIN unnest(ARRAY['PHONETIC_NAME_BIRTH_YEAR', 'PHONE', 'BIRTH_DATE_GENDER']) AS kind;

INSERT INTO idrepo.identity (id, tenant_id, state_id, registration_id, status_code, demographics_sealed, created_at, modified_at)
SELECT identity_id, :tenant_id, :state_id, id, 'ACTIVATED', 'v1:none', :now, :now FROM flight WHERE step > 0;

INSERT INTO idrepo.identifier (id, tenant_id, state_id, identity_id, kind, id_hash, id_sealed, status_code, created_at)
SELECT identifier_id, :tenant_id, :state_id, identity_id, 'UIN', hash, 'v1:none', 'ACTIVE', :now FROM flight WHERE step > 0;

INSERT INTO idrepo.credential_request_status (individual_id_hash, partner_id, id, tenant_id, state_id, identifier_id, registration_id, status, request_id,
                                              token_id, next_attempt_at, cr_dtimes, upd_dtimes)
SELECT hash, 'IDA', gen_random_uuid(), :tenant_id, :state_id, identifier_id, id, CASE WHEN step = 1 THEN 'NEW' ELSE 'REQUESTED' END,
       CASE WHEN step > 1 THEN request_id END, hash, :due, :now, :now FROM flight WHERE step > 0;

INSERT INTO credential.credential_transaction (id, tenant_id, state_id, registration_id, partner_id, individual_id_hash, request_sealed, status_code,
                                               credential_id, issuances, issuance_date, next_attempt_at, cr_dtimes, upd_dtimes)
SELECT request_id, :tenant_id, :state_id, id, 'IDA', hash, 'v1:none', CASE WHEN step = 2 THEN 'NEW' ELSE 'ISSUED' END,
       CASE WHEN step = 3 THEN credential_id END, (step = 3)::int, CASE WHEN step = 3 THEN CAST(:now AS timestamptz) END, :due, :now, :now
FROM flight WHERE step > 1;

INSERT INTO credential.issuance (id, tenant_id, request_id, number, share_id, event_id, status_code, published, begun_at)
SELECT credential_id, :tenant_id, request_id, 1, gen_random_uuid(), event_id, 'ISSUED', 1, :now FROM flight WHERE step = 3;

INSERT INTO ida.credential_event_store (event_id, tenant_id, event_topic, credential_transaction_id, credential_id, registration_id, publisher,
                                        published_on_dtimes, event_object, status_code, retry_count, next_attempt_at, cr_dtimes, upd_dtimes)
SELECT event_id, :tenant_id, 'IDA/CREDENTIAL_ISSUED', request_id, credential_id, id, 'CREDENTIAL_SERVICE', :now, '{}', 'FAILED', 1, :due, :now, :now
FROM flight WHERE step = 3
