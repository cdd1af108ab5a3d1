-- The audit, its seals and the history of states are append-only for every role, their owner included.
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['audit.event', 'audit.seal', 'sdcrs.report_history'] LOOP
        EXECUTE format('DROP TRIGGER IF EXISTS append_only ON %s', t);
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION audit.refuse_change()', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['audit.event', 'audit.seal'] LOOP
        EXECUTE format('DROP TRIGGER IF EXISTS never_emptied ON %s', t);
        EXECUTE format('CREATE TRIGGER never_emptied BEFORE TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change()', t);
    END LOOP;
END $$;
