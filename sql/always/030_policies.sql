-- Every table with tenant_id: row-level security enabled and forced, one permissive policy per role.
DO $$
DECLARE
    t record;
    p record;
BEGIN
    FOR t IN
        SELECT n.nspname AS schema, c.relname AS name, format('%I.%I', n.nspname, c.relname) AS full_name
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('access', 'vault', 'audit', 'packet', 'jobs', 'sdcrs', 'fraud', 'payout', 'masterdata', 'analytics',
                            'regprc', 'idrepo', 'credential', 'datashare', 'websub', 'ida')
          AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)
    LOOP
        FOR p IN SELECT policyname FROM pg_policies WHERE schemaname = t.schema AND tablename = t.name LOOP
            EXECUTE format('DROP POLICY %I ON %s', p.policyname, t.full_name);
        END LOOP;
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', t.full_name);
        EXECUTE format($f$CREATE POLICY app ON %s TO {{prefix}}_app, {{prefix}}_audit
            USING (tenant_id = ANY (string_to_array(current_setting('app.scope', true), ',')))
            WITH CHECK (tenant_id = ANY (string_to_array(current_setting('app.scope', true), ',')))$f$, t.full_name);
        EXECUTE format('CREATE POLICY worker ON %s TO {{prefix}}_worker USING (true) WITH CHECK (true)', t.full_name);
        EXECUTE format('CREATE POLICY backup ON %s FOR SELECT TO {{prefix}}_backup USING (true)', t.full_name);
    END LOOP;
END $$;

-- What a job failed at has no tenant of its own: who may see the report or the payout that it is about, sees it.
DO $$
DECLARE
    p record;
BEGIN
    FOR p IN SELECT policyname FROM pg_policies WHERE schemaname = 'jobs' AND tablename = 'failure' LOOP
        EXECUTE format('DROP POLICY %I ON jobs.failure', p.policyname);
    END LOOP;
END $$;
ALTER TABLE jobs.failure ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY by_subject ON jobs.failure FOR SELECT TO {{prefix}}_app
    USING (EXISTS (SELECT FROM sdcrs.report r WHERE r.id = subject) OR EXISTS (SELECT FROM payout.payout p WHERE p.id = subject)
           OR EXISTS (SELECT FROM payout.attempt a WHERE a.id = subject));
CREATE POLICY worker ON jobs.failure TO {{prefix}}_worker USING (true) WITH CHECK (true);
CREATE POLICY backup ON jobs.failure FOR SELECT TO {{prefix}}_backup USING (true);

-- The backup reads every partition by itself; nobody else may.
DO $$
DECLARE
    part text;
BEGIN
    FOR part IN
        SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relispartition AND c.relkind = 'r' AND n.nspname IN ('sdcrs', 'packet', 'audit')
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', part);
        EXECUTE format('DROP POLICY IF EXISTS backup ON %s', part);
        EXECUTE format('CREATE POLICY backup ON %s FOR SELECT TO {{prefix}}_backup USING (true)', part);
    END LOOP;
END $$;

-- The public page sees the one report whose tracking id or token it names, and of that nothing personal.
CREATE POLICY public ON sdcrs.report FOR SELECT TO {{prefix}}_public
    USING (tracking_id = current_setting('app.tracking', true) OR tracking_token = current_setting('app.tracking', true));
CREATE POLICY public ON sdcrs.report_history FOR SELECT TO {{prefix}}_public
    USING (EXISTS (SELECT FROM sdcrs.report r WHERE r.id = report_id));
