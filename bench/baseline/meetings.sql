-- Who has time, the plain way, on convene's own tables: the requirement's question, asked of the meetings themselves.

CREATE SCHEMA IF NOT EXISTS baseline;

CREATE FUNCTION baseline.has_time(p_attendee uuid, p_from timestamptz, p_until timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    in_the_way integer;
BEGIN
    SELECT count(*) INTO in_the_way
      FROM convene.meetings m
     WHERE (m.attendee_1_id = p_attendee OR m.attendee_2_id = p_attendee)
       AND m.status IN ('scheduled', 'confirmed', 'in_progress')
       AND (m.scheduled_start, m.scheduled_end) OVERLAPS (p_from, p_until);
    RETURN in_the_way = 0;
END $$;
