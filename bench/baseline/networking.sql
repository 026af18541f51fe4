-- Networking the plain way, on convene's own tables: the requirement's formula for one person, and for everybody with the words as
-- bits of a number, which is the strongest single statement.

CREATE SCHEMA baseline;

CREATE FUNCTION baseline.find_matches(p_attendee uuid, p_event uuid, p_limit integer DEFAULT 10)
RETURNS TABLE (other uuid, name text, score numeric, reasons jsonb)
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    wants text[];
    offers text[];
BEGIN
    SELECT n.looking_for, n.can_offer INTO wants, offers
      FROM convene.networking_preferences n WHERE n.attendee_id = p_attendee AND n.event_id = p_event;
    RETURN QUERY
    SELECT a.id, a.full_name,
           greatest((SELECT count(*) FROM unnest(wants) w WHERE w = ANY (n.can_offer))::numeric / nullif(cardinality(wants), 0),
                    (SELECT count(*) FROM unnest(offers) o WHERE o = ANY (n.looking_for))::numeric / nullif(cardinality(offers), 0)
           )::numeric(3,2) AS worth,
           jsonb_build_array(CASE WHEN wants && n.can_offer THEN 'They have what you want'
                                  WHEN offers && n.looking_for THEN 'You have what they want' ELSE 'Shared interests' END)
      FROM convene.attendees a JOIN convene.networking_preferences n ON n.attendee_id = a.id
     WHERE a.event_id = p_event AND a.id <> p_attendee AND n.networking_enabled
       AND a.id NOT IN (SELECT CASE m.attendee_1_id WHEN p_attendee THEN m.attendee_2_id ELSE m.attendee_1_id END
                          FROM convene.matches m
                         WHERE m.event_id = p_event AND p_attendee IN (m.attendee_1_id, m.attendee_2_id)
                           AND m.status NOT IN ('declined', 'expired'))
     ORDER BY worth DESC
     LIMIT p_limit;
END $$;

-- Up to 63 words. Scores in hundredths, so that a pair is integers only.
CREATE FUNCTION baseline.all_matches(p_event uuid, p_most integer DEFAULT 10)
RETURNS TABLE (attendee uuid, other uuid, score numeric)
LANGUAGE sql STABLE AS $$
    WITH numbered AS MATERIALIZED (
        SELECT word, 1::bigint << (row_number() OVER (ORDER BY word) - 1)::int AS bit
          FROM (SELECT unnest(looking_for) AS word FROM convene.networking_preferences WHERE event_id = p_event
                UNION SELECT unnest(can_offer) FROM convene.networking_preferences WHERE event_id = p_event) w),
    people AS MATERIALIZED (
        SELECT n.attendee_id AS id, n.networking_enabled AS open,
               (SELECT coalesce(bit_or(bit), 0) FROM numbered WHERE word = ANY (n.looking_for))::bit(64) AS wants,
               (SELECT coalesce(bit_or(bit), 0) FROM numbered WHERE word = ANY (n.can_offer))::bit(64) AS offers,
               nullif(cardinality(n.looking_for), 0) AS all_wants, nullif(cardinality(n.can_offer), 0) AS all_offers
          FROM convene.networking_preferences n WHERE n.event_id = p_event),
    matched AS MATERIALIZED (
        SELECT attendee_1_id AS a, attendee_2_id AS b FROM convene.matches
         WHERE event_id = p_event AND status NOT IN ('declined', 'expired')
        UNION ALL
        SELECT attendee_2_id, attendee_1_id FROM convene.matches
         WHERE event_id = p_event AND status NOT IN ('declined', 'expired'))
    SELECT me.id, best.id, best.hundredths / 100.0
      FROM people me CROSS JOIN LATERAL (
           SELECT they.id, greatest((100 * bit_count(me.wants & they.offers) + me.all_wants / 2) / me.all_wants,
                                    (100 * bit_count(me.offers & they.wants) + me.all_offers / 2) / me.all_offers) AS hundredths
             FROM people they
            WHERE they.open AND they.id <> me.id AND (me.id, they.id) NOT IN (SELECT a, b FROM matched)
            ORDER BY hundredths DESC NULLS LAST, they.id
            LIMIT p_most) best
$$;

-- Where a program outside the database writes to: convene's columns, keys, checks and indexes, without its triggers.
CREATE TABLE baseline.matches (LIKE convene.matches INCLUDING ALL,
    FOREIGN KEY (event_id) REFERENCES convene.events ON DELETE CASCADE,
    FOREIGN KEY (attendee_1_id, event_id) REFERENCES convene.attendees (id, event_id) ON DELETE CASCADE,
    FOREIGN KEY (attendee_2_id, event_id) REFERENCES convene.attendees (id, event_id) ON DELETE CASCADE);
