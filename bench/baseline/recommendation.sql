-- Recommendations the plain way, on convene's own tables: what an application would write from the requirement.

CREATE SCHEMA baseline;

-- One bookmarked session stands for the person; everything else is ordered by its distance to it.
CREATE FUNCTION baseline.recommend(p_attendee uuid, p_event uuid, p_limit integer DEFAULT 10)
RETURNS TABLE (session_id uuid, session_title text, similarity_score numeric, recommendation_reason text)
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    taste public.vector;
BEGIN
    SELECT e.embedding INTO taste
      FROM convene.attendee_preferences p
      JOIN convene.session_embeddings e ON e.session_id = ANY (p.bookmarked_sessions)
     WHERE p.attendee_id = p_attendee AND p.event_id = p_event
     LIMIT 1;
    IF taste IS NULL THEN
        RETURN QUERY
        SELECT s.id, s.title, 0.5::numeric, 'Popular session'::text FROM convene.sessions s
         WHERE s.event_id = p_event ORDER BY s.current_registrations DESC NULLS LAST LIMIT p_limit;
        RETURN;
    END IF;
    RETURN QUERY
    SELECT s.id, s.title, (1 - (e.embedding OPERATOR(public.<=>) taste))::numeric AS score, 'Based on your interests'::text
      FROM convene.sessions s JOIN convene.session_embeddings e ON e.session_id = s.id
     WHERE s.event_id = p_event
       AND s.id NOT IN (SELECT unnest(p.attended_sessions || p.bookmarked_sessions)
                          FROM convene.attendee_preferences p
                         WHERE p.attendee_id = p_attendee AND p.event_id = p_event)
     ORDER BY score DESC
     LIMIT p_limit;
END $$;

-- The same by hand through the HNSW index, scanning on until enough rows are of this event.
CREATE FUNCTION baseline.recommend_by_index(p_attendee uuid, p_event uuid, p_limit integer DEFAULT 10)
RETURNS TABLE (session_id uuid, session_title text, similarity_score numeric, recommendation_reason text)
LANGUAGE plpgsql STABLE SET hnsw.iterative_scan = 'strict_order' AS $$
DECLARE
    taste public.vector(1536);
    seen uuid[];
BEGIN
    SELECT p.attended_sessions || p.bookmarked_sessions INTO seen FROM convene.attendee_preferences p
     WHERE p.attendee_id = p_attendee AND p.event_id = p_event;
    SELECT e.embedding INTO taste
      FROM convene.attendee_preferences p
      JOIN convene.session_embeddings e ON e.session_id = ANY (p.bookmarked_sessions)
     WHERE p.attendee_id = p_attendee AND p.event_id = p_event
     LIMIT 1;
    RETURN QUERY
    SELECT near.session_id, s.title, (1 - near.distance)::numeric, 'Based on your interests'::text
      FROM (SELECT e.session_id, e.embedding::public.vector(1536) OPERATOR(public.<=>) taste AS distance
              FROM convene.session_embeddings e
             WHERE e.event_id = p_event AND e.embedding_model = 'text-embedding-ada-002'
               AND e.session_id <> ALL (coalesce(seen, '{}'))
             ORDER BY e.embedding::public.vector(1536) OPERATOR(public.<=>) taste LIMIT p_limit) near
      JOIN convene.sessions s ON s.id = near.session_id
     ORDER BY near.distance;
END $$;
