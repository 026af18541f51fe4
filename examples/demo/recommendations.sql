-- What one attendee is recommended; :attendee is their number.
SELECT round(similarity_score, 2) AS score, to_char(start_time, 'Dy HH24:MI') AS start, left(session_title, 58) AS session,
       recommendation_reason AS reason
FROM convene.get_session_recommendations(pg_temp.attendee(:attendee), :event, 6);
