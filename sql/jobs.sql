-- Procedures, because a run commits after each portion, and everybody can see how far it is. They have no SET clause, or they
-- could not commit, so that each transaction pins the path for itself; nothing is named without its schema before that.

CREATE PROCEDURE convene.run_job(p_job text) LANGUAGE plpgsql AS $$
DECLARE
    run record;
    target uuid;
    amount bigint;
    note text;
    failure text;
    more boolean;
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    SELECT b.run_id, b.command, b.batches, b.targets INTO run FROM convene.begin_job(p_job) b;
    COMMIT;
    IF run.run_id IS NULL THEN
        RAISE NOTICE 'another session is running %', p_job;
        RETURN;
    END IF;
    FOREACH target IN ARRAY run.targets LOOP
        LOOP
            PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
            PERFORM pg_advisory_xact_lock(hashtext('convene job'), hashtext(p_job));
            amount := NULL;
            note := NULL;
            failure := NULL;
            BEGIN
                EXECUTE run.command INTO amount, note, failure USING target;
            EXCEPTION WHEN OTHERS THEN
                failure := concat_ws(' ', SQLSTATE, SQLERRM, 'event ' || target);
            END;
            PERFORM convene.record_job_step(run.run_id, amount, note, failure);
            more := run.batches AND failure IS NULL AND amount > 0;
            COMMIT;
            EXIT WHEN more IS NOT TRUE;
        END LOOP;
    END LOOP;
    PERFORM convene.record_job_step(run.run_id, 0, NULL, NULL, true);
    COMMIT;
END $$;

CREATE PROCEDURE convene.run_due_jobs(p_all boolean DEFAULT false) LANGUAGE plpgsql AS $$
DECLARE
    names text[];
    name text;
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    names := convene.due_jobs(p_all);
    COMMIT;
    FOREACH name IN ARRAY names LOOP
        CALL convene.run_job(name);
    END LOOP;
END $$;
