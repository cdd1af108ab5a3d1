-- Everything is revoked first, so that this file alone says who may do what.
DO $$
DECLARE
    s text;
    r text;
BEGIN
    FOREACH s IN ARRAY ARRAY['access', 'vault', 'audit', 'packet', 'jobs', 'sdcrs', 'fraud', 'payout', 'masterdata', 'analytics', 'sandbox',
                             'regprc', 'idrepo', 'credential', 'datashare', 'websub', 'ida'] LOOP
        IF to_regnamespace(s) IS NULL THEN CONTINUE; END IF;
        FOREACH r IN ARRAY ARRAY['{{prefix}}_app', '{{prefix}}_worker', '{{prefix}}_public', '{{prefix}}_audit', '{{prefix}}_backup'] LOOP
            EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM %I', s, r);
            EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA %I FROM %I', s, r);
            EXECUTE format('REVOKE ALL ON SCHEMA %I FROM %I', s, r);
        END LOOP;
        EXECUTE format('REVOKE ALL ON SCHEMA %I FROM PUBLIC', s);
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO {{prefix}}_worker, {{prefix}}_backup', s);
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO {{prefix}}_backup', s);
        EXECUTE format('GRANT SELECT ON ALL SEQUENCES IN SCHEMA %I TO {{prefix}}_backup', s);
        IF s <> 'sandbox' THEN
            EXECUTE format('GRANT USAGE ON SCHEMA %I TO {{prefix}}_app', s);
        END IF;
    END LOOP;
END $$;

-- The role prefix must be readable before a role can be taken.
GRANT USAGE ON SCHEMA masterdata TO PUBLIC;
GRANT SELECT ON masterdata.installation, masterdata.migration TO PUBLIC;

-- app: what people do, inside their scope
GRANT SELECT ON masterdata.document TO {{prefix}}_app;
DO $$ BEGIN  -- every column of an account but the hash of its password
    EXECUTE (SELECT format('GRANT SELECT (%s) ON access.account TO {{prefix}}_app', string_agg(quote_ident(attname), ', '))
             FROM pg_attribute WHERE attrelid = 'access.account'::regclass AND attnum > 0 AND NOT attisdropped AND attname <> 'password_hash');
END $$;
GRANT UPDATE (lifetime_reports, on_duty, standing, standing_until, standing_reason) ON access.account TO {{prefix}}_app;
GRANT SELECT, INSERT, UPDATE ON vault.person_field TO {{prefix}}_app;
GRANT SELECT, INSERT ON audit.event, packet.log, sdcrs.report_history TO {{prefix}}_app;
GRANT SELECT, INSERT, UPDATE ON sdcrs.file, sdcrs.report, sdcrs.evidence, sdcrs.daily_count, sdcrs.request_key TO {{prefix}}_app;
GRANT SELECT ON fraud.evaluation, fraud.check_result, fraud.rule_result, sdcrs.notification TO {{prefix}}_app;
GRANT SELECT ON fraud.pair TO {{prefix}}_app;
GRANT UPDATE (decision, decided_at, decided_by) ON fraud.pair TO {{prefix}}_app;
GRANT SELECT ON fraud.validator_result, fraud.validator_breaker TO {{prefix}}_app;
GRANT SELECT, INSERT, UPDATE ON fraud.rule_draft TO {{prefix}}_app;
GRANT SELECT, INSERT, UPDATE ON payout.fund_account, payout.payout, payout.attempt, payout.monthly_cap TO {{prefix}}_app;
GRANT SELECT, INSERT ON payout.ledger, payout.reconciliation_run, payout.reconciliation_item, payout.reconciliation_step TO {{prefix}}_app;
GRANT UPDATE (status) ON payout.reconciliation_item TO {{prefix}}_app;
GRANT SELECT ON payout.provider, payout.overview, payout.call, payout.payee, payout.payee_number TO {{prefix}}_app;
GRANT INSERT, UPDATE ON payout.payee_number TO {{prefix}}_app;
GRANT SELECT (id, tenant_id, attempt_id, event_id, event, provider_status, received_at, processed_at, outcome)
    ON payout.webhook_event TO {{prefix}}_app;
GRANT SELECT, INSERT, UPDATE ON fraud.strike, fraud.confirmation, fraud.penalty TO {{prefix}}_app;
GRANT SELECT, UPDATE ON fraud.flag TO {{prefix}}_app;
GRANT INSERT ON fraud.notice TO {{prefix}}_app;
GRANT SELECT ON ALL TABLES IN SCHEMA regprc, credential, datashare, websub, ida TO {{prefix}}_app;
GRANT SELECT ON idrepo.identity, idrepo.identifier, idrepo.credential_request_status TO {{prefix}}_app;
GRANT INSERT, UPDATE ON regprc.registration_list, regprc.registration, regprc.component TO {{prefix}}_app;
GRANT INSERT, DELETE ON regprc.registration_list_component TO {{prefix}}_app;  -- who announces again says it anew
GRANT INSERT ON regprc.registration_transaction, ida.auth_transaction, idrepo.credential_request_status TO {{prefix}}_app;
GRANT UPDATE (published) ON credential.issuance TO {{prefix}}_app;
GRANT UPDATE ON regprc.manual_verification, idrepo.credential_request_status, credential.credential_transaction, websub.delivery,
    ida.credential_event_store, ida.identity_cache TO {{prefix}}_app;
GRANT SELECT ON jobs.failure, jobs.heartbeat, jobs.follower, jobs.schedule TO {{prefix}}_app;

-- worker: jobs, and sign-in, which comes before any scope is known
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA access, vault, jobs, sdcrs, fraud, payout, masterdata, analytics TO {{prefix}}_worker;
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA regprc, idrepo, credential, datashare, websub, ida TO {{prefix}}_worker;
GRANT DELETE ON regprc.demographic_key TO {{prefix}}_worker;  -- a registration that begins anew
REVOKE UPDATE ON sdcrs.report_history FROM {{prefix}}_worker;
REVOKE INSERT, UPDATE ON masterdata.installation, masterdata.migration FROM {{prefix}}_worker;
REVOKE INSERT, UPDATE ON sdcrs.public_tracking FROM {{prefix}}_worker;
GRANT SELECT, INSERT ON audit.event, audit.seal TO {{prefix}}_worker;
GRANT SELECT, INSERT, UPDATE ON packet.log TO {{prefix}}_worker;  -- update: bodies past their retention are emptied
GRANT DELETE ON sdcrs.request_key, access.session, access.sign_in_throttle, access.sign_in_flow, jobs.failure, jobs.heartbeat, fraud.validator_cache
    TO {{prefix}}_worker;
GRANT EXECUTE ON FUNCTION jobs.ensure_partitions(date, int), jobs.stray_partition_rows(), jobs.refresh_statistics() TO {{prefix}}_worker;
DO $$ BEGIN
    IF to_regnamespace('sandbox') IS NOT NULL THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA sandbox TO {{prefix}}_worker;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA sandbox TO {{prefix}}_worker;
    END IF;
END $$;

-- public: the tracking page
GRANT USAGE ON SCHEMA sdcrs TO {{prefix}}_public;
GRANT SELECT ON sdcrs.public_tracking TO {{prefix}}_public;
GRANT SELECT (id, tenant_id, report_number, tracking_id, tracking_token, status, locality, ward_code, created_at, resolved_at)
    ON sdcrs.report TO {{prefix}}_public;
GRANT SELECT (report_id, version, action, to_state, occurred_at) ON sdcrs.report_history TO {{prefix}}_public;

-- audit: reads what happened
GRANT USAGE ON SCHEMA audit, packet, sdcrs TO {{prefix}}_audit;
GRANT SELECT ON audit.event, audit.seal, packet.log, sdcrs.report_history TO {{prefix}}_audit;
