-- Lead scores the plain way, on convene's own tables: the requirement's formula, in one statement for all.

CREATE SCHEMA baseline;

CREATE FUNCTION baseline.score_all(p_event uuid) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    written bigint;
BEGIN
    UPDATE convene.lead_scoring
       SET engagement_score = least(40, booth_visits * 10 + content_downloads * 5 + session_attendance * 3 + messages_exchanged * 2
                                        + CASE WHEN meeting_requested THEN 10 ELSE 0 END),
           fit_score = 30,
           intent_score = least(30, interaction_count * 3),
           lead_score = least(40, booth_visits * 10 + content_downloads * 5 + session_attendance * 3 + messages_exchanged * 2
                                  + CASE WHEN meeting_requested THEN 10 ELSE 0 END) + 30 + least(30, interaction_count * 3),
           updated_at = now()
     WHERE event_id = p_event;
    GET DIAGNOSTICS written = ROW_COUNT;
    RETURN written;
END $$;
