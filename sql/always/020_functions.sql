-- Partitions are made by their owner; the worker may ask for it daily without any right of its own to change the schema.
-- A partition is reached through its parent alone, except by the backup, which reads each by itself.
CREATE OR REPLACE FUNCTION jobs.ensure_partitions(from_month date, months int) RETURNS int
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    parent text;
    month date;
    part text;
    made int := 0;
    prefix text := (SELECT value FROM masterdata.installation WHERE key = 'role_prefix');
BEGIN
    IF months NOT BETWEEN 1 AND 36 THEN
        RAISE EXCEPTION 'months must be between 1 and 36';
    END IF;
    FOREACH parent IN ARRAY ARRAY['sdcrs.report_history', 'packet.log', 'audit.event'] LOOP
        IF to_regclass(parent || '_default') IS NULL THEN
            EXECUTE format('CREATE TABLE %s_default PARTITION OF %s DEFAULT', parent, parent);
            EXECUTE format('ALTER TABLE %s_default ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', parent);
            EXECUTE format('CREATE POLICY backup ON %s_default FOR SELECT TO %I USING (true)', parent, prefix || '_backup');
            EXECUTE format('GRANT SELECT ON %s_default TO %I', parent, prefix || '_backup');
            made := made + 1;
        END IF;
        FOR i IN 0 .. months - 1 LOOP
            month := (date_trunc('month', from_month) + make_interval(months => i))::date;
            part := parent || '_' || to_char(month, 'YYYYMM');
            IF to_regclass(part) IS NULL THEN
                EXECUTE format('CREATE TABLE %s PARTITION OF %s FOR VALUES FROM (%L) TO (%L)',
                               part, parent, month || ' 00:00+00', (month + interval '1 month')::date || ' 00:00+00');
                EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', part);
                EXECUTE format('CREATE POLICY backup ON %s FOR SELECT TO %I USING (true)', part, prefix || '_backup');
                EXECUTE format('GRANT SELECT ON %s TO %I', part, prefix || '_backup');
                made := made + 1;
            END IF;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;
REVOKE ALL ON FUNCTION jobs.ensure_partitions(date, int) FROM PUBLIC;

-- Rows in a DEFAULT partition mean that a month was not prepared: an alarm.
CREATE OR REPLACE FUNCTION jobs.stray_partition_rows() RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(sum(greatest(pg_relation_size(c.oid), 0)), 0)::bigint
    FROM pg_class c
    WHERE c.oid IN (to_regclass('sdcrs.report_history_default'), to_regclass('packet.log_default'), to_regclass('audit.event_default'))
$$;
REVOKE ALL ON FUNCTION jobs.stray_partition_rows() FROM PUBLIC;

-- What the planner knows of tables that a bulk load is filling: it would take them for empty until autovacuum comes by, a minute later,
-- and read whole tenants where an index answers. Only their owner may count them.
CREATE OR REPLACE FUNCTION jobs.refresh_statistics() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    ANALYZE access.account, sdcrs.report, sdcrs.evidence, sdcrs.file, fraud.pair, payout.payout, payout.attempt;
END $$;
REVOKE ALL ON FUNCTION jobs.refresh_statistics() FROM PUBLIC;

CREATE OR REPLACE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed or removed', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
