-- The audit is append-only for every role, its owner included.
DROP TRIGGER IF EXISTS append_only ON audit.event;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.event
    FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();
DROP TRIGGER IF EXISTS never_emptied ON audit.event;
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON audit.event
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
DROP TRIGGER IF EXISTS append_only ON sdcrs.report_history;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON sdcrs.report_history
    FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();
