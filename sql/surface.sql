-- The surface of the extension: every member function, who may call it, and what it does. Whatever is not in this list is
-- callable by nobody but its owner. Audiences: public (pure values, everyone), anon (anon, authenticated, service),
-- authenticated (authenticated, service), service, owner (the owner of the data). Every function checks by itself what the
-- caller may use, too: the grants are the outer door.

CREATE FUNCTION convene.surface() RETURNS TABLE (signature text, audience text, comment text)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $surface$
    VALUES
    ('surface()', 'public',
     'Every function of the extension, who may call it, and what it does.'),
    ('library_version()', 'public',
     'The version of the library that serves this session.'),

    -- Installing
    ('install(boolean)', 'owner',
     'Makes the tables, policies and triggers, owned by the caller, and grants the API to its roles where they exist (p_grant_api). Calling it again changes nothing. Errors: 55000 inside an extension script, without pgvector, with data of another version; 0A000 with pgvector older than 0.8.0; 42501 for others than the owner.'),
    ('migrate()', 'owner',
     'Brings the data of an older version to the library''s, step by step, and grants the API again as it was granted last. Run it after ALTER EXTENSION convene UPDATE, in the same transaction. Errors: 55000 for a version it does not know.'),
    ('uninstall(text)', 'owner',
     'Drops every table that install() made, with all rows. p_confirm is the name of this database. Whatever users built on the tables stands in the way (2BP01). Errors: 22023 for another name.'),
    ('grant_api(text,text,text)', 'owner',
     'Grants the API to the roles named that exist, and remembers the names for install() and migrate(). Errors: 22023 if two names are the same.'),
    ('create_api_roles()', 'owner',
     'Makes the roles of the API that are missing, without login, and grants to them. Grant them to the login of the API server alone: whoever can set request.jwt.claims can be anyone.'),
    ('add_embedding_model(text,integer,boolean)', 'owner',
     'Registers a model of embeddings with its dimensions (1 to 16000) and makes its index; p_default makes it the model of embeddings that name none. Errors: 23505 if it is known with other dimensions.'),
    ('adopt_copy()', 'service',
     'Declares this database the one whose workers may send. A restored copy refuses to hand out queued work (55000) until then.'),
    ('check_threads(double precision,text)', 'owner',
     'Computes on every thread of the session for p_seconds (0 to 3600) and reports their number and whether all have the server''s signals blocked; p_fault ''panic'' shows how a failing worker is reported (58000).'),
    ('schedule_jobs()', 'owner',
     'Registers every periodic job with pg_cron, under its name and schedule, to run as the caller; scheduling again replaces. statement is what was done. Where pg_cron lives in another database nothing is done, job_id is null, and statement is what a superuser runs there. Errors: 55000 without pg_cron, with a hint; 42501 for others than the owner of the data.'),
    ('unschedule_jobs()', 'owner',
     'Takes the jobs that the caller scheduled for this database back from pg_cron, and counts them. Errors: 55000 without pg_cron in this database, 42501.'),
    ('job_status()', 'service',
     'Every periodic job: its schedule in the fields of cron, whether pg_cron has it (null: pg_cron is not in this database), whether run_due_jobs() would run it now, and its last run: status, times, how much was done, and the error or a note.'),
    ('due_jobs(boolean)', 'service',
     'Names of the jobs that run_due_jobs() would run, in their order: those never run, failed, or begun a period ago; every one with p_all. Jobs of five minutes or less are always due. Errors: 22004, 42501.'),
    ('run_job(text)', 'owner',
     'Runs one job now, each of its portions in a transaction of its own, and records the run in job_runs; another session that runs it already is left to it. CALL it outside a transaction block. Errors of the job are recorded, not raised; 22023 for an unknown name, 2D000 inside a transaction block, 42501.'),
    ('run_due_jobs(boolean)', 'owner',
     'One round of the jobs that are due, or of every one (p_all), for schedulers other than pg_cron: CALL it every few minutes, outside a transaction block. Errors: 22004, 2D000, 42501.'),
    ('begin_job(text)', 'owner',
     'For run_job(): puts a run of the job on record; no row while another session runs it. A run that ended without a word is recorded as failed. Errors: 22004, 22023 for an unknown name, 42501.'),
    ('record_job_step(uuid,bigint,text,text,boolean)', 'owner',
     'For run_job(): adds p_done to a run, notes p_note or p_error (which makes it failed), and ends it with p_last. Errors: P0002 for an unknown run, 22004, 22023 for a p_done below 0, 42501.'),
    ('health()', 'service',
     'What can be out of order (versions, queues, partitions, insights, marketplace, embeddings, jobs, indexes, dependencies, row security, roles), a row each: status ok, warning or error, and the statement that helps. Thresholds: settings health.queue_lag_minutes, health.insights_lag_minutes and health.marketplace_stale_hours. Works on a standby.'),
    ('create_next_month_partitions(integer)', 'service',
     'Makes the monthly partitions of the signal tables from this month to p_months_ahead (0 to 60) months ahead, bounds in UTC, and moves rows that came before their partition into place. Once is as good as twice.'),
    ('drop_old_partitions(interval,timestamp with time zone)', 'service',
     'Drops the months of the signal tables that ended p_keep (1 month to 100 years) ago or earlier, and keeps their sums in event_signal_months, so that insights stay as they are. Returns what it dropped. Errors: 22004, 22023, 2BP01 where a table of the users'' own refers to a month.'),

    -- Who is calling
    ('uid()', 'public',
     'The profile id of whoever signed the request: sub of request.jwt.claim.sub or request.jwt.claims, null for nobody. Errors: 22023 if it is no UUID.'),
    ('email()', 'public',
     'The email address in the token, if its issuer says that it is verified (email_verified at the top or in app_metadata) or the setting trust_jwt_email is on; otherwise null.'),
    ('claim(text)', 'public',
     'A claim of the token as text, null where there is none.'),
    ('has_permission(text,text)', 'authenticated',
     'Whether the caller''s role permits p_action (read, write or delete) in an area of the CRM (roles.permissions), in one of their organizations: with every record, or with those of their own team. What row security enforces. Errors: 22004, 22023 for another action.'),

    -- A person's data
    ('export_person(uuid)', 'authenticated',
     'Everything that is known of a person as one JSON document, by table: own rows whole, of others the id only, without secrets. For the person and the service. Errors: 42501 for anybody else, P0002 for the service if there is no such profile.'),
    ('erase_person(uuid)', 'authenticated',
     'Erases a person everywhere in one transaction: rows that are only theirs go, rows of the books and of others stay under pseudonyms, the audit log is redacted, waiting work cancelled. Returns what became of each table, copies already delivered, and what is left to do. Once is as good as twice. For the person and the service. Errors: 42501 for anybody else, P0002 for the service if there never was such a profile.'),

    -- Networking: who should meet whom
    ('preview_networking_matches(uuid,uuid,integer,text,timestamp with time zone)', 'authenticated',
     'People whom an attendee should meet, best first; nothing is kept. compatibility_score is 0 to 1: the harmonic mean of own_score and other_score, what the match is worth to each (goal_based: own_score alone); weights times parts of score_parts add up to both. coverage is the share of the weights for which something is known; the event''s mean stands for the rest. Reasons are true of the two. p_algorithm: hybrid, goal_based, interest_based or graph_based. p_limit: 1 to 50, for organizers and the service 500. Empty for somebody who takes no part. Errors: 42501 for another person''s id, 22004, 22023.'),
    ('generate_networking_matches(uuid,uuid,integer,text,timestamp with time zone)', 'authenticated',
     'The rows of preview_networking_matches with a match_id each, kept in matches as suggested: for 48 hours, and until a day into the event. Calling it again refreshes the open suggestions. p_now other than now() is for the service (42501).'),
    ('generate_event_matches(uuid,integer,double precision,integer,text,text,boolean,timestamp with time zone)', 'authenticated',
     'For organizers: suggests people to each other at a whole event, in parallel, and returns counts, times in milliseconds, expected mutual matches and exposure Gini. p_strategy top_k: the p_per_attendee (1 to 100) best of each person; balanced: the most mutual matches with nobody suggested more than p_max_incoming times (the default once that is given). Pairs below p_min_score (0 to 1) are left out. p_replace takes back open suggestions that are not chosen again; otherwise they stay and count for the limit. Errors: 42501, 22004, 22023.'),
    ('accept_match(uuid,uuid,boolean,timestamp with time zone,integer,timestamp with time zone)', 'authenticated',
     'Accepts a suggestion; once both have, it is mutual_accepted. p_attendee_id: the caller''s own where left out; the service names one of the two. p_schedule_meeting proposes a meeting at p_preferred_time for p_duration_minutes (1 to 480; the person''s preference where left out) once the match is mutual; where that time does not suit, nothing is accepted either (23P01). Once is as good as twice. Errors: 42501 for others, 55000 for a match that was declined or has expired.'),
    ('decline_match(uuid,uuid)', 'authenticated',
     'Declines a match, for good at this event, and cancels its meetings. Who declined is not shown. Once is as good as twice. Errors: 42501 for others.'),
    ('expire_matches(timestamp with time zone)', 'service',
     'Ends the suggestions that were not accepted by both in time, and returns how many. One that somebody holds is left for the next call.'),
    ('networking_quality(uuid)', 'authenticated',
     'For organizers: what became of an event''s suggestions and meetings as JSON: counts, acceptance_rate (mutual of mutual and declined), answer_rate, engagement_rate, meeting_rate, mean_rating (1 to 5), valuable_rate (rated 4 or 5). Rates are 0 to 1, null where there is nothing to take them of.'),
    ('find_connectors(uuid,integer)', 'authenticated',
     'For organizers: the people who connect an event''s attendees, by betweenness (Brandes 2001; above 512 people estimated from 512 of them, Brandes and Pich 2007) in the graph of mutual matches, accepted connections and meetings. 0 to 1: the share of the pairs of others whose shortest ways go through them. p_limit: 1 to 500.'),
    ('block_person(uuid,uuid)', 'authenticated',
     'Blocks the person behind another attendee of the same event, at every event: ends matches, cancels meetings to come, and keeps the two apart from now on. The blocked person is not told. p_attendee_id is the caller''s own. Once is as good as twice. Errors: 42501 for an attendee of another event or of none, 22023 for oneself, 55000 where one of the two has no profile.'),
    ('unblock_person(uuid,uuid)', 'authenticated',
     'Takes a block back; whether there was one. What it ended stays ended.'),
    ('report_person(uuid,uuid,text,text)', 'authenticated',
     'Tells the organizer about the person behind another attendee of the same event: p_reason in up to 200 characters, p_details in up to 5,000. Returns the report''s id; the same again while it is open is the same report. Errors: as block_person, 54000 for longer texts.'),
    ('enable_realtime()', 'owner',
     'Adds matches and meetings to the publication supabase_realtime where there is one, and says what was added. Changes are notified on channel convene_networking in any case.'),

    -- Recommending
    ('get_session_recommendations(uuid,uuid,integer,text,timestamp with time zone)', 'authenticated',
     'Sessions that an attendee should see next, best first. similarity_score is 0 to 1 and the sum of weight x score in score_parts; the reason is true of its row. p_algorithm: hybrid, content_based, collaborative_filtering or popularity. p_limit: 1 to 500. Empty when the attendee has switched recommendations off. Collaborative weights: EASE (Steck 2019) or BM25, whichever an internal holdout prefers. Errors: 42501 for another person''s id, 22004, 22023.'),
    ('serve_session_recommendations(uuid,uuid,integer,text,timestamp with time zone)', 'authenticated',
     'The rows of get_session_recommendations with a recommendation_id each, logged in recommendation_history as shown. p_now other than now() is for the service (42501).'),
    ('submit_recommendation_feedback(uuid,text,integer)', 'authenticated',
     'Notes what the person did with a recommendation: clicked, bookmarked, attended, dismissed or rated (p_rating 1 to 5). Once is as good as twice. What concerns a session is an interaction with it, too. Errors: 42501, 22023.'),
    ('record_session_interaction(uuid,uuid,text,numeric,timestamp with time zone)', 'authenticated',
     'Notes that an attendee browsed, bookmarked, attended or rated (p_value 1 to 5) a session of their event. Once is as good as twice. Errors: 42501, 22004, 22023 for an unknown kind, a value out of range or a p_at in the future.'),
    ('update_attendee_preferences(uuid,uuid,jsonb)', 'authenticated',
     'Sets the given preferences of an attendee and returns all of them. Keys: preferred_topics, preferred_formats, industry_interests, skill_level, browsed_sessions, bookmarked_sessions, attended_sessions, interaction_history, notification_preferences, recommendation_enabled. Errors: 22023 naming an unknown key or a value of the wrong type, 54000 for more than 200 entries.'),
    ('find_similar_sessions(uuid,integer)', 'anon',
     'Sessions of the same event that are most like a session: by embedding (cosine, 0 to 1), or by the attendees they share where there is none. p_limit: 1 to 100. Errors: 42501 for a session the caller may not see.'),
    ('get_personal_agenda(uuid,uuid,timestamp with time zone,timestamp with time zone,timestamp with time zone)', 'authenticated',
     'The best agenda without overlaps between p_from and p_to: bookmarks first, then the recommendations that add up to most, with time to change rooms (setting agenda.travel_minutes) and breaks kept free. Exact weighted interval scheduling. Errors: 42501, 22023 for reversed times.'),
    ('get_exhibitor_recommendations(uuid,uuid,integer)', 'authenticated',
     'Sponsors that take part in the event and suit an attendee, by topics and by words. p_limit: 1 to 100.'),
    ('get_content_recommendations(uuid,uuid,integer)', 'authenticated',
     'Material of the event that suits an attendee: of sessions they chose or that suit them, by topics and by words. p_limit: 1 to 100.'),
    ('refresh_event_recommendations(uuid,boolean,timestamp with time zone)', 'authenticated',
     'For organizers: learns the event''s collaborative weights (p_retrain: null when a tenth more interactions came in, true always, false never) and computes everybody''s recommendations ahead, in parallel. Errors: 42501, 55P03 while another refresh of the event runs.'),
    ('recommendation_metrics(uuid)', 'authenticated',
     'For organizers: what was shown and what became of it, per algorithm and variant. click_rate is 0 to 1.'),
    ('evaluate_recommender(uuid,integer,bigint,text)', 'authenticated',
     'For organizers: holds interactions back (p_split last: the latest of each attendee; random: one in five), recommends p_k sessions without them, and reports hit rate, recall, NDCG, MRR, coverage and diversity (all 0 to 1) per algorithm. The same seed gives the same numbers.'),

    ('learn_recommendation_weights(uuid,boolean)', 'authenticated',
     'For organizers: learns from recommendation_history how much each source should count, by logistic regression with weights that cannot be negative, and judges it on people left out (auc_now, auc_learned: how often a liked session stands above one that was not, 0 to 1). p_apply makes it the event''s weights where it does better.'),

    -- Peers: whom to meet
    ('find_peer_matches(uuid,uuid,integer,numeric,boolean,boolean)', 'authenticated',
     'Contractors at the event whom a contractor should meet, best first: only those who agreed to it, with names and no phone or email. match_score is 0 to 1: 0.40 focus areas (Jaccard) + 0.25 distance of markets + 0.20 likeness in size + 0.15 trade, or the weights of scoring_weights (surface peers); match_criteria has the parts. p_max_matches: 1 to 100, p_min_score: 0 to 1. Left out: whoever blocked or was blocked, declined pairs, with p_exclude_matched those matched at this event, without p_include_met those met at another one. Errors: 42501 for another''s id, 22004, 22023.'),
    ('find_cross_event_peers(uuid,integer,numeric)', 'authenticated',
     'As find_peer_matches, among contractors of other events; both have to have agreed to that (contractors.cross_event_opt_in). For the contractor and the service. Errors: 42501, 22004, 22023.'),
    ('create_peer_match(uuid,uuid,uuid,jsonb)', 'authenticated',
     'Makes a match of two contractors at an event, or returns the one that there is. Score, type, reason and parts are computed; values in p_match_data count when the service sends them. Both have to have agreed to be matched. Errors: 42501, 22004, 22023 for oneself or odd data, 55000 where one of them takes no part.'),
    ('generate_event_peer_matches(uuid,integer,numeric,boolean)', 'authenticated',
     'For organizers: matches for everybody who agreed to it, each with their p_max_matches (1 to 20) best of at least p_min_score (0 to 1), all pairs scored in parallel. Running it twice adds nothing. Returns contractors, matches and created. Errors: 42501, 22004, 22023.'),
    ('get_contractor_matches(uuid,uuid)', 'authenticated',
     'A contractor''s matches at an event, best first, without declined ones; contractor2 is the other. pcr_score: mean of the ratings given, 1 to 10. Errors: 42501, 22004, 22023.'),
    ('form_peer_groups(uuid,integer,text,boolean,bigint)', 'authenticated',
     'For organizers: seats those who agreed to be matched at tables of about p_size (3 to 12), sizes differing by at most one and none below three, so that the lowest pair scores are as good as can be (leximin; exact up to 12 people, above that a local search from p_seed, the same seed giving the same tables). p_topic: only those who are focused on it. group_number is null for who has no table, with the reason. Errors: 42501, 22004, 22023, 54000 above 10,000 people.'),
    ('record_peer_connection(uuid,jsonb)', 'authenticated',
     'Notes that the two of a match met, or when and where they will (p_meeting_details: scheduled, time, location). Twice is as good as once. Errors: 42501, 22004, 22023, 55000 for one of the two before both accepted.'),
    ('record_peer_feedback(uuid,uuid,integer,text)', 'authenticated',
     'Takes a contractor''s rating of a meeting (1 to 10) and words, both in confidence; a later rating replaces it. For the contractor and the service. Errors: 42501, 22004, 22023, 54000 above 4,000 characters, 55000 before both accepted.'),
    ('peer_match_metrics(uuid)', 'authenticated',
     'For organizers: matches, introductions, mutual acceptances, meetings and ratings, all together (match_type all) and by type. Rates are 0 to 1: accepted of introduced, met of accepted.'),
    ('find_super_connectors(uuid,integer)', 'authenticated',
     'For organizers: contractors whose introductions work, best first. connector_score (0 to 1) is the sum of 0.3 accepted by both, 0.3 met, 0.4 rating / 10 over the introductions, divided by their number plus 3. p_limit: 1 to 100.'),
    -- Leads
    ('record_lead_interaction(uuid,uuid,text,timestamp with time zone,jsonb,text,text)', 'authenticated',
     'Notes a contact of an attendee with a sponsor in the ledger, makes the lead on the first one, counts it and rescores the lead. p_kind: booth_visit, badge_scan, content_download, session_attendance, message, meeting_request or other. p_external_id: the reporter''s own id, by which a repetition counts once. For the service, and for the sponsor''s people with p_badge_token, the code of the attendee''s ticket (qr_token), which is consent to be this sponsor''s lead; p_attendee_id may then be null. Errors: 42501, P0002, 22004, 22023 for an unknown kind, a p_at in the future or an attendee of another event, 23505 for an external id of another contact, 54000 for p_details above 10000 characters.'),
    ('calculate_lead_score(uuid)', 'authenticated',
     'Computes the score of a lead, 0 to 100, stores it with its parts and returns it: engagement 0 to 40 (10 per booth visit, 5 per download, 3 per session, 2 per message, 10 for a meeting request), fit 0 to 30 (how the attendee meets sponsor_profiles.ideal_customer; 30 where nobody is described, then fit_assumed), intent 0 to 30 (3 per interaction). 0 where there was no interaction at all. For the sponsor of a lead that it may see, whoever manages the event, and the service. Errors: 42501, P0002, 22004.'),
    ('score_sponsor_leads(uuid,boolean)', 'authenticated',
     'Scores all leads of a sponsor, writes those whose score changed and returns how many. p_recount: counts anew from lead_interactions first, and makes leads that it tells of. For the sponsor, whoever manages the event (leads of their events), and the service. Errors: 42501, P0002, 22004.'),
    ('score_event_leads(uuid,boolean)', 'authenticated',
     'For organizers: as score_sponsor_leads, for all sponsors of an event. Reports progress once a second; one scoring of an event at a time, a second one waits. Errors: 42501, P0002, 22004.'),
    ('get_sponsor_leads(uuid,integer,text,integer,uuid,timestamp with time zone)', 'authenticated',
     'The leads of a sponsor who agreed to be seen by it, best first, equal scores by id: attendee (id, name, title, company), score, grade (A from 80, B from 60, C from 40, else D), engagement, score_parts that add up to the score, reasons, next_best_action as of p_now. p_min_score: 0 to 100. p_limit: 1 to 1000. p_after: lead_id of the last row of the page before. For the sponsor, whoever manages the event, and the service. Errors: 42501, P0002, 22004, 22023.'),
    ('sponsor_attendee_match(uuid,integer)', 'authenticated',
     'Attendees of the sponsor''s events who agreed to be seen by sponsors, meet the ideal customer and have not met the sponsor yet, best first. fit_score: 1 to 30. p_limit: 1 to 500. Errors: 42501, P0002, 22004, 22023.'),
    ('sponsor_analytics(uuid,integer,timestamp with time zone)', 'authenticated',
     'What a sponsorship brought, as JSON: leads (total, shown, hidden) by grade and status, conversion (0 to 1), cost per lead, return on investment (percent of the contract value), satisfaction and net promoter score (-100 to 100), days in the sales cycle, and a trend over p_days (1 to 366) days of the event''s clock up to p_now. Errors: 42501, P0002, 22004, 22023.'),
    ('predict_sponsor_renewal(uuid)', 'authenticated',
     'For organizers: the probability that a sponsor renews, 0 to 1 with two places: 0.3 engagement/100 + 0.4 satisfaction/10 + 0.3 least(ROI, 500)/500; missing values count 50, 5 and 0, a negative ROI 0. Stored with renewal_likely, which is from 0.70 up before rounding. Errors: 42501, P0002, 22004.'),
    ('renewal_predictions(uuid)', 'authenticated',
     'For organizers: the forecast of every sponsor of an event, those most at risk first, with the factor that would help most (largest possible_gain) and what to do about it. Errors: 42501, P0002, 22004.'),
    ('start_renewal_sequence(uuid,timestamp with time zone)', 'authenticated',
     'For organizers: queues in outbox (topic renewal) whom to contact when, so that a sponsor renews. Once is as good as twice. Errors: 42501, P0002, 22004, 55000 for a sponsor that is gone or belongs to no event; p_now other than now() is for the service (42501).'),
    ('list_sponsors(uuid,text,text,integer,uuid)', 'authenticated',
     'For organizers: the sponsors of an event by name, its own and those of the market that signed for it, with their leads. p_limit: 1 to 1000. p_after: sponsor_id of the last row of the page before. Errors: 42501, P0002, 22004, 22023.'),
    ('add_sponsor(uuid,text,text,numeric,text,text,text,text,text,text)', 'authenticated',
     'For organizers: adds a sponsor to an event. Adding the same one again gives back the one that is there. p_contract_value in whole units of p_currency. Errors: 42501, P0002, 22004, 22023, 23505 if the event has a sponsor of that name with other terms.'),
    ('lead_score(integer,integer,integer,integer,boolean,integer,integer)', 'public',
     'The score of plain counters, 0 to 100, as calculate_lead_score computes it; null counts as 0. p_fit_score: 0 to 30. Errors: 22023 for a negative counter.'),
    ('lead_engagement_score(integer,integer,integer,integer,boolean)', 'public',
     'The points for engagement, 0 to 40: 10 per booth visit, 5 per download, 3 per session, 2 per message, 10 for a meeting request. Errors: 22023 for a negative counter.'),
    ('lead_intent_score(integer)', 'public',
     'The points for intent, 0 to 30: 3 per interaction. Errors: 22023 for a negative counter.'),

    -- Sponsorship: the queue
    ('update_sponsorship_matches(integer)', 'service',
     'Works off up to p_batch (1 to 10000) entries of fit_recalc_queue, urgent ones first, in one transaction: computes the fits of each sponsor with every event on the market, of each event with every sponsor, or of a pair, and writes what changed. Returns how many entries it dealt with, further ones of the same targets included; 0: nothing is due. Any number of workers at once. What fails is tried again after a back-off and parked after the setting queue.max_attempts. Errors: 22004, 22023, 55000 unless the transaction is READ COMMITTED.'),
    ('sponsorship_recalc(integer)', 'service',
     'As update_sponsorship_matches(), with the JSON of the endpoint: success, processed (entries), duration_ms, timestamp (UTC).'),
    ('sponsorship_score_onchange(uuid,uuid,uuid[],uuid[])', 'authenticated',
     'Queues sponsors (sponsor_id alone, or sponsor_ids) and events (event_id, event_ids) to be compared anew, those named alone before lists. Triggers do so by themselves when something changes. The JSON of the endpoint: success, queued (targets), operations, duration_ms, timestamp (UTC). For the sponsor''s own people, staff of the events, the service. Errors: 42501, P0002 for the service, 22004 if all four are null or an array holds a null, 54000 above 10000 ids.'),
    ('queue_expired_events(timestamp with time zone)', 'service',
     'Queues the events on the market that were over at p_now and still have matches there, so that those are taken off; returns how many. Errors: 22004, 22023.'),
    ('answer_sponsorship_match(uuid,uuid,text)', 'authenticated',
     'Notes what came of a match: p_action viewed, contacted, accepted or rejected; whoever gets in touch or answers has viewed it. A yes can become a no and a no a yes; once is as good as twice. Returns event_id, sponsor_id, status, viewed_at and contacted_at as JSON. For the sponsor''s own people, whoever manages the event, and the service. Errors: 42501, P0002 for the service, 22004, 22023, 55000 for more than a look at a match that is off the market.'),
    ('check_recalc_queue_health(timestamp with time zone)', 'service',
     'How fit_recalc_queue is doing: depth (entries that wait), oldest (when that was queued), processing (workers at work), failed (parked entries), throughput (entries done per minute, over the hour before p_now), status ok, lagging or stuck: the oldest due entry has waited longer than the settings health.queue_lag_minutes and health.queue_stuck_minutes. Errors: 22004, 22023.'),
    ('cleanup_recalc_queue(interval)', 'service',
     'Deletes entries of fit_recalc_queue that were done or parked more than p_keep (0 to 100 years) ago; returns how many. Errors: 22004, 22023.'),
    -- CRM sync
    ('queue_crm_sync(uuid,text,integer,text[])', 'authenticated',
     'Queues the leads of a sponsor for its CRM (p_crm_type salesforce, hubspot or pipedrive): those that it may see and that score at least p_min_lead_score (0 to 100). p_sync_fields: some of contact_info, engagement_history, lead_score. A lead that is in the CRM as it is now is left alone, a changed one is queued as an update. Returns the numbers. For the sponsor''s person, organizers (leads of their events) and the service. Errors: 42501, 22004, 22023.'),
    ('claim_crm_sync(integer,interval,text)', 'service',
     'Hands out up to p_limit (1 to 1000) leads that wait for a CRM, each under a lease, with payload in the field names of that CRM as the lead is now; p_crm_type null: of every CRM. Leads whose attendee took consent back are cancelled, not handed out. At least once: the idempotency_key tells a repetition. Errors: 22004, 22023, 55000 in a restored copy, see adopt_copy().'),
    ('complete_crm_sync(uuid,text,uuid)', 'service',
     'Takes the id under which the CRM keeps a lead, under the lease token of its job; twice is as good as once. Errors: 22004, 22023, P0002, 55000 if the lease went to somebody else.'),
    ('fail_crm_sync(uuid,text,uuid,interval)', 'service',
     'Gives a lead back with an error: tried again after a back-off, or parked as failed after the setting queue.max_attempts. With p_retry_after (0 to 1 day, what the CRM asked for) it waits that long and the attempt does not count. Errors: 22004, 22023, P0002, 55000.'),
    -- Meetings
    ('check_meeting_availability(uuid,timestamp with time zone,timestamp with time zone,timestamp with time zone)', 'authenticated',
     'Whether an attendee has time from p_start_time to before p_end_time: no meeting and no hold of a proposal overlaps, it lies inside availability_slots where any are given, and the local day of its start takes one more. For the person, organizers and the service. Errors: 42501 for somebody else, 22023 for an end that is not after the start, 22004.'),
    ('meeting_conflicts(uuid,timestamp with time zone,timestamp with time zone,timestamp with time zone)', 'authenticated',
     'Why an attendee has no time, a row per reason: meeting, hold, outside_availability, day_is_full, not_attending. No row: they have. Organizers do not learn which meeting of another event it is. Errors as check_meeting_availability().'),
    ('find_meeting_slots(uuid,uuid,integer,timestamp with time zone,timestamp with time zone,integer,timestamp with time zone)', 'authenticated',
     'Up to p_limit (1 to 200) times that suit two attendees and do not overlap, those in breaks of the programme first: no meeting, no bookmarked or registered session, inside both availabilities, both days not full. p_duration_minutes: 1 to 480, by default what the two like. p_from, p_to: by default the event, a month at most. For one of the two where both accepted their match, organizers, the service. Errors: 42501, 22023.'),
    ('schedule_meeting(uuid,uuid,timestamp with time zone,integer,text,text,text,jsonb,timestamp with time zone)', 'authenticated',
     'As p_attendee_1: proposes a meeting to p_attendee_2, with whom a match was accepted by both; it holds the proposer''s time for 48 hours, at most three wait for a person. As organizer or service: sets it. What is there already is found, not made again; what the other one proposed is confirmed. Errors: 42501, 23P01 naming the slot and the next free one, 55000 for a full day or three open proposals, 22023, 40001 to try again.'),
    ('confirm_meeting(uuid,timestamp with time zone)', 'authenticated',
     'Says yes to a proposal, which takes the recipient''s time. Errors: 42501, 55000 when it has lapsed or is one''s own, 23P01 when the time is gone, with the next free one.'),
    ('reschedule_meeting(uuid,timestamp with time zone,integer,timestamp with time zone)', 'authenticated',
     'Moves a meeting to where both have time; p_duration_minutes null: as long as it was. A proposal that is moved is the mover''s proposal; a confirmed meeting waits to be confirmed again. Reminders start anew. Errors: 42501, 23P01, 55000, 22023.'),
    ('cancel_meeting(uuid,timestamp with time zone)', 'authenticated',
     'Calls a meeting off or declines a proposal; the time is free at once. Twice is as good as once. Errors: 42501, 55000 for what took place.'),
    ('complete_meeting(uuid,boolean,timestamp with time zone)', 'authenticated',
     'Notes that a meeting that has begun took place, or with p_no_show that somebody did not come. Errors: 42501, 55000 before it begins.'),
    ('get_meetings(uuid,uuid,timestamp with time zone,integer,uuid,timestamp with time zone)', 'authenticated',
     'An attendee''s meetings in the order of time, with the other one''s name, title and company. status is lapsed for a proposal that nobody answered in time, in_progress for what was agreed on from its start to its end. p_from: only what ends later. Pages by p_limit (1 to 500) and p_after, the last meeting_id of the page before. Feedback and notes: the person''s own, to the person and the service. Errors: 42501, 22023.'),
    ('submit_meeting_feedback(uuid,integer,text,boolean,text,uuid,timestamp with time zone)', 'authenticated',
     'How a meeting that has begun was, by one of the two: p_rating 1 to 5, comments, whether to follow up, private notes. A second call replaces the rating and keeps what is left out. Errors: 42501, 55000 before it begins, 22023, 54000 for more than 5,000 characters.'),
    ('schedule_event_meetings(uuid,integer,integer,timestamp with time zone,timestamp with time zone,integer,text,jsonb,timestamp with time zone)', 'authenticated',
     'For organizers: arranges the mutual matches of an event into slots of p_slot_minutes (1 to 480), p_break_minutes apart, and p_tables tables (null: as many as needed), as a draft in meeting_schedule_drafts: first as many people as possible with a meeting, then the most compatibility (gap: how much more could be possible at most, 0 to 1). Respects availability, chosen sessions, days, and in p_rules veto, fixed, exclusive (of each set of pairs at most one meets) and representatives (attendees who are one human being). Simulated annealing; bounds by Lagrangian duality and matching. Errors: 42501, 22004, 22023, 23P01 for fixed meetings that cannot be, 54000 above 500 slots or a million pairs.'),
    ('publish_meeting_schedule(uuid,boolean,timestamp with time zone)', 'authenticated',
     'For organizers: makes the meetings of a draft, all of them or none (23P01 naming the first that cannot be), with p_only_unbooked those that still can; returns how many and why others were skipped. Twice is as good as once. Errors: 42501, 22004, 55000 for a discarded draft.'),
    ('discard_meeting_schedule(uuid)', 'authenticated',
     'For organizers: puts a draft away. Errors: 42501, 55000 when it was published.'),
    ('send_meeting_reminders(timestamp with time zone)', 'service',
     'Puts the reminders that are due into outbox (topic notification), one for each of the two people; returns how many. The first is due networking.reminder_1_minutes before a meeting, the second networking.reminder_2_minutes; each is sent once, however many call.'),
    ('lapse_meeting_proposals(timestamp with time zone)', 'service',
     'Cancels proposals that nobody answered in time, by neither side; returns how many. They hold nothing from their end on, also without this.'),
    ('meeting_ics(uuid,timestamp with time zone)', 'authenticated',
     'A meeting as an iCalendar file (RFC 5545), without contact data. For the two, organizers and the service. Errors: 42501.'),

    -- The conversation of peers
    ('send_peer_introduction(uuid,text,timestamp with time zone)', 'authenticated',
     'For organizers: asks both of a match by SMS whether they want to be introduced, in p_message (placeholders as in a template of phase introduction, at most 1600 letters) or the event''s text. Per person, status: queued, waiting with reason and due_at (another question is open, an hour between prompts, night at the event), or refused (peers.introductions_per_event reached by one of them: neither is asked). Once is as good as twice. Errors: 42501, 22023 for a text that nothing fills in or that gives contacts away, 55000 without both consents, after a no, after the event.'),
    ('record_peer_response(uuid,uuid,boolean,timestamp with time zone)', 'authenticated',
     'Notes a contractor''s own yes or no to a match. With the second yes, and only then, both get the other''s phone and email, once: consent, blocks and the end of the event are looked at under lock at that moment. For the contractor and the service, not for organizers. Errors: 42501, 22004, 22023, 55000 without consent, after the event, for a no after the exchange.'),
    ('handle_peer_message(text,text,timestamp with time zone,text)', 'service',
     'Takes an SMS that came from p_phone: YES, NO, LATER, SKIP, a rating 1 to 10, STOP PEER, START PEER, the carriers'' STOP words; anything else gets a help line. Understood only if all of its words agree. Answers the one question that is open to the sender. Returns understood (also unknown_sender, ambiguous), match_id, question, replies, contacts_exchanged. p_external_id is the service''s id of the message: a delivery that comes again is repeated: true and does nothing. Errors: 22004, 22023.'),
    ('suggested_prompt_times(uuid)', 'authenticated',
     'For organizers: when people of an event are best asked, in order: 15 minutes before it, 5 before each break and session for networking, 5 after the beginning of lunch, 30 before its end. context: arrival, break, lunch, networking.'),
    ('dispatch_due_prompts(uuid,timestamp with time zone)', 'authenticated',
     'For organizers: sends what is due at p_now: matches from 0.85 at check-in, from 0.7 in breaks, all at lunch, whoever was missed at the end; what waited; a request for a rating two to three hours after a meeting; a follow-up after 30, 60 and 90 days. After the end of the event, unanswered questions and yeses that nothing came of lapse. Returns counts. Once is as good as twice.'),
    ('follow_up_due(timestamp with time zone)', 'service',
     'Who is to be asked whether they are still in touch, 30, 60 or 90 days after they met; dispatch_due_prompts() asks. follow_up_rate: the share, 0 to 1, of those of the event who answered and are; null before anybody answered.'),

    -- The marketplace
    ('refresh_marketplace(text,timestamp with time zone)', 'service',
     'Brings what the marketplace is read from up to date, and logs each part in mv_refresh_log. p_which: one of sponsor_event_fit_scores, mv_sponsor_event_fit_scores, event_quality_scores, mv_event_quality_scores, marketplace_analytics, sponsor_cards, package_cards; null for all. Only rows that changed are written. A part that fails is undone and logged as failed, and the others go on. Errors: 42501, 22004, 22023 for another name and for a p_now that is infinite or beyond the years 1 to 9999.'),
    ('get_sponsor_recommendations(uuid,integer,double precision)', 'authenticated',
     'For the event''s organization: sponsors that suit the event, best first, as last scored, without contact and budget; not those that were rejected. p_limit: 1 to 500, p_min_score: 0 to 1. Errors: 42501, 22004, 22023.'),
    ('get_event_recommendations(uuid,integer,double precision)', 'authenticated',
     'For whoever acts for the sponsor: events that suit it, best first, as last scored, with their quality (0 to 100) and what is to be had: available_packages, and of these affordable_packages (within the yearly budget and in its currency; null where no budget is known). p_limit: 1 to 500, p_min_score: 0 to 1. Errors: 42501, 22004, 22023.'),
    ('semantic_sponsor_event_match(uuid,integer)', 'authenticated',
     'For the event''s organization: sponsors of the market whose objectives are nearest to the event''s vector, with the cosine (-1 to 1) and the stored match_score, where there is one. p_limit: 1 to 500. Errors: 42501, 22004, 22023, 55000 for an event without a vector.'),
    ('find_similar_sponsors(real[],integer,double precision,text)', 'authenticated',
     'Sponsors of the market whose objectives are nearest to a vector (a vector of pgvector does as well), by cosine of at least p_threshold (-1 to 1): for organizers and the service all, for others their own. p_model: the model it is of; left out, the default one or the only one of its dimension. p_limit: 1 to 500. Errors: 22023 for a wrong dimension, naming both; 22004.'),
    ('find_similar_events(real[],integer,double precision,text)', 'anon',
     'Published and completed events whose vector is nearest to a vector, as find_similar_sponsors.'),

    -- Insights: what is known of an event's audience
    ('refresh_event_insights(uuid,timestamp with time zone)', 'authenticated',
     'Brings event_audience_insights up to what came in since it was last counted, from signals, orders, attendees and videos; the same as counting everything anew. p_event_id: that event only, for its organizers and the service; null: all, for the service. p_since: only events with a signal of that time or later, or whose orders, attendees or videos changed since. Returns {"events", "deltas", "rebuilt"}: events computed, notes taken, whether all was counted anew because a table had been emptied. Errors: 42501, P0002 for the service.'),
    ('rebuild_event_insights(uuid)', 'service',
     'Counts all signals anew, of one event or of all, and scores the words of mentions that this version scores in another way: after loads that no trigger heard of (session_replication_role, disabled triggers, partitions attached or dropped by hand). Returns as refresh_event_insights. Errors: 42501, P0002.'),
    ('score_sentiment(text)', 'public',
     'How an English text sounds, -1 to 1: the sum s of the valences of its words, turned by negations and weighed by intensifiers, as s / sqrt(s^2 + 15) (the scale of VADER, Hutto and Gilbert 2014; lexicon and rules are our own). 0 where no word is known, null for a blank text. Reads 100,000 characters.'),

    -- Sponsorship: which sponsor fits which event
    ('fn_compute_match_score(uuid,uuid)', 'authenticated',
     'How well a sponsor and an event fit, computed now. score is 0 to 1: 0.25 budget_fit + 0.35 audience_overlap + 0.15 geo_fit + 0.15 engagement_quality + 0.10 objectives_similarity, or the weights of scoring_weights (surface sponsorship), rounded once to six decimals; audience_overlap is 0.6 categories + 0.4 geo. overlap_metrics has the parts, weights, contributions and coverage, the share of the weight that rests on data. For the sponsor''s people at events on the market, their own and those they were matched with, for an event''s staff with sponsors that take part or were matched. Errors: 42501 for others, 22004, 22023 for unusable weights.'),
    ('simulate_match_score(uuid,uuid,jsonb)', 'authenticated',
     'What fn_compute_match_score would say if something were otherwise; nothing is written. p_overrides, all optional: annual_budget_cents, budget_factor; preferred_categories, regions, event_categories, event_regions, and add_ or remove_ with categories, regions, event_categories, event_regions; geo_distribution, engagement_score, ticket_conversion_rate; weights. Returns score, previous_score, difference, changed (parts and weights before and after), overlap_metrics, previous_overlap_metrics. Errors: 42501 for others, 22004, 22023 naming an unknown key or an odd value.'),
    ('preview_sponsorship_matches(integer,double precision,jsonb,uuid[],uuid[],timestamp with time zone)', 'service',
     'The best p_per_event (1 to 1000) sponsors on the market for each event on it, all pairs computed now, in parallel, and nothing kept: rank from 1, score as fn_compute_match_score has it, equal ones by sponsor. p_weights tries other weights than the stored ones; p_event_ids and p_sponsor_ids look at these only; below p_min_score (0 to 1) is left out. On the market: events published and not over at p_now, sponsors with a profile that have not churned. Errors: 42501, 22004, 22023.'),
    ('suggest_package_price(uuid,timestamp with time zone)', 'authenticated',
     'For organizers: what a package could cost, from packages of the same tier and currency of other public events (up to 50, the most alike by type and categories, of those the newest), each with weight, fill, quality and adjusted price. Weighted median of price x (1 + 0.2 (fill - 0.5)) x (1 + 0.5 (quality - theirs) / 100); low and high are the quartiles. fill counts once an event is over at p_now or nothing is left. In minor units; null with a reason below three comparables. Errors: 42501 for others, 22004.'),
    ('draft_sponsorship_proposal(uuid,uuid)', 'authenticated',
     'For organizers: a proposal to a sponsor that takes part or was matched, as Markdown: event, audience, why it fits, packages on sale. Only what is known, users'' texts escaped, nothing of the sponsor''s budget. Errors: 42501 for others, 22004.'),
    ('sponsor_fit_score(bigint,text[],text[],text[],text[],jsonb,double precision,double precision,real[],real[],jsonb)', 'public',
     'The fit of plain values, 0 to 1, not rounded: the formula of fn_compute_match_score. Null is not known; with geo distribution, engagement and conversion all null there are no insights. Vectors are of one model (pgvector casts to real[]). p_weights: the five parts, adding up to 1; null for the usual ones. Errors: 22023 for unusable weights.'),
    ('sponsor_fit_metrics(bigint,text[],text[],text[],text[],jsonb,double precision,double precision,real[],real[],jsonb)', 'public',
     'The parts of sponsor_fit_score as overlap_metrics has them: parts, weights, contributions, coverage. Errors: 22023 for unusable weights.'),
    ('jaccard(text[],text[])', 'public',
     'Words in common over words in either, 0 to 1; 0 without any. Case and surrounding space make no difference, each word counts once, nulls and empty words do not. Null for a null.'),
    ('overlap_share(text[],text[])', 'public',
     'The share of the words wanted that are present, 0 to 1, compared as by jaccard; 0.5 where nothing is wanted. Null for a null.'),
    ('budget_fit(bigint)', 'public',
     'b / (b + 100000) of a year''s budget in minor units, 0 to 1; 0 for none, zero or less.'),
    ('engagement_quality(double precision,double precision)', 'public',
     '0.7 engagement + 0.3 conversion, each brought between 0 and 1; one that is null counts 0.'),
    ('region_code(text)', 'public',
     'The form in which regions are compared: ISO 3166-1 alpha-2 in lower case for a country by code (two or three letters), English name or usual short form (UK, USA), else the text in lower case without surrounding space. Null for null.'),

    -- Work for the world outside
    ('claim_outbox(text,integer,interval)', 'service',
     'Hands out up to p_limit (1 to 1000) pieces of work of a topic, each under a lease. An SMS comes with to, body and kind, rendered now: what has lost its consent is cancelled instead, prompts wait at night. At least once: send idempotency_key along. Errors: 22004, 22023, 55000 in a restored copy, see adopt_copy().'),
    ('ack_outbox(uuid,jsonb,uuid)', 'service',
     'Reports a piece of work as done, under its lease token, with what the other side said (at most 10000 bytes, or null). Twice is as good as once. Errors: P0002, 55000 if the lease went to somebody else, 54000.'),
    ('nack_outbox(uuid,text,uuid,interval,boolean)', 'service',
     'Gives a piece of work back with an error: tried again after a back-off, not before p_retry_after, or parked after the setting queue.max_attempts, or at once if p_permanent. Errors: P0002, 22004, 22023, 55000.'),

    -- Embeddings
    ('embed_text(text)', 'public',
     'The native embedding of a text, model convene-hash-v1: 256 numbers of unit length from hashed words and character n-grams, the same for the same text always; zeros for a text without letters and digits. Errors: 22004, 54000 above 1 MiB.'),
    ('embed_pending(integer)', 'service',
     'Embeds up to p_limit (1 to 10000) waiting sessions with the native model, where no other model''s vector is stored; returns how many.'),
    ('claim_embedding_jobs(integer,interval)', 'service',
     'Hands out up to p_limit (1 to 1000) sessions that wait for an embedding, each under a lease. At least once: a job whose lease runs out goes to the next worker. Errors: 55000 in a restored copy, see adopt_copy().'),
    ('complete_embedding_job(uuid,real[],text,uuid)', 'service',
     'Takes the embedding of a job under its lease token; twice is as good as once. Errors: 55000 if the lease went to somebody else, 22023 for an unknown model, other dimensions or a number that is not finite.'),
    ('fail_embedding_job(uuid,text,uuid)', 'service',
     'Gives a job back with an error: tried again after a back-off, or parked after the setting queue.max_attempts.')
$surface$;

DO $grant$
DECLARE
    member record;
    holder record;
BEGIN
    -- Whoever owns the database may have put functions and operators where this script would look for the server's: a
    -- format(text, text) of theirs matches better than the variadic one, and would run with a superuser's rights.
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);

    -- Schema convene is nobody's member, so these rights are in every dump.
    GRANT CREATE ON SCHEMA convene TO pg_database_owner;
    -- An owner of the data who is no superuser lets the API's roles in.
    GRANT USAGE ON SCHEMA convene TO pg_database_owner WITH GRANT OPTION;
    FOR member IN SELECT * FROM convene.surface() LOOP
        -- Also what default privileges gave.
        FOR holder IN
            SELECT DISTINCT r.grantee FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) r
            WHERE p.oid = ('convene.' || member.signature)::regprocedure AND r.grantee <> p.proowner
        LOOP
            EXECUTE format('REVOKE ALL ON ROUTINE convene.%s FROM %s', member.signature,
                           CASE holder.grantee WHEN 0 THEN 'PUBLIC' ELSE holder.grantee::regrole::text END);
        END LOOP;
        EXECUTE format('GRANT EXECUTE ON ROUTINE convene.%s TO pg_database_owner WITH GRANT OPTION', member.signature);
        IF member.audience = 'public' THEN
            EXECUTE format('GRANT EXECUTE ON ROUTINE convene.%s TO PUBLIC', member.signature);
        END IF;
        EXECUTE format('COMMENT ON ROUTINE convene.%s IS %L', member.signature, member.comment);
    END LOOP;
END
$grant$;
