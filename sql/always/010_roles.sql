-- The five roles that transactions act as; the login is NOINHERIT and takes one of them for each transaction.
DO $$
DECLARE
    suffix text;
BEGIN
    FOREACH suffix IN ARRAY ARRAY['app', 'worker', 'public', 'audit', 'backup'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{{prefix}}_' || suffix) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOINHERIT', '{{prefix}}_' || suffix);
        END IF;
        IF NOT pg_has_role('{{login}}', '{{prefix}}_' || suffix, 'MEMBER') THEN
            EXECUTE format('GRANT %I TO %I', '{{prefix}}_' || suffix, '{{login}}');
        END IF;
    END LOOP;
END $$;
