"""The cells of domain networking."""

from ..factory import ident

# What a person's match or meeting is made of: the person, somebody else, and the two in order.
PAIR = "least({person}, {partner}), greatest({person}, {partner})"

STATEMENTS = {
    "networking_preferences": {
        "select": "SELECT id FROM {t} WHERE attendee_id = {person}",
        "insert": "DELETE FROM {t} WHERE attendee_id = {person} ;;"
                  " INSERT INTO {t} (attendee_id, event_id, looking_for) VALUES ({person}, {event}, '{{x}}')",
        "update": "UPDATE {t} SET can_offer = '{{x}}' WHERE attendee_id = {person}",
        "update-since": "UPDATE {t} SET created_at = now() WHERE attendee_id = {person}",
        "delete": "DELETE FROM {t} WHERE attendee_id = {person}",
    },
    "goal_complements": {
        "select": "SELECT id FROM {t} WHERE event_id IS NOT DISTINCT FROM {event} LIMIT 1",
        "insert": "INSERT INTO {t} (event_id, looking_for, can_offer) VALUES ({event}, 'x', 'x')",
        "update": "UPDATE {t} SET strength = 0.5 WHERE event_id IS NOT DISTINCT FROM {event}",
        "update-to-b": "DELETE FROM {t} WHERE event_id = {other_event} ;; UPDATE {t} SET event_id = {other_event} WHERE event_id = {event}",
        "delete": "DELETE FROM {t} WHERE event_id IS NOT DISTINCT FROM {event}",
    },
    "matches": {
        "select": "SELECT id FROM {t} WHERE id = {match}", "select-feedback": "SELECT feedback_1, feedback_2 FROM {t} WHERE id = {match}",
        "select-declined": "SELECT declined_by FROM {t} WHERE id = {match}",
        "insert": "DELETE FROM {t} WHERE id = {match} ;; INSERT INTO {t} (event_id, attendee_1_id, attendee_2_id, compatibility_score,"
                  f" matching_algorithm, status) VALUES ({{event}}, {PAIR}, 1, 'hybrid', 'mutual_accepted')",
        "update": "UPDATE {t} SET status = 'mutual_accepted' WHERE id = {match}", "delete": "DELETE FROM {t} WHERE id = {match}",
    },
    "meetings": {
        "select": "SELECT id FROM {t} WHERE id = {meeting}", "select-feedback": "SELECT feedback_1, feedback_2 FROM {t} WHERE id = {meeting}",
        "select-notes": "SELECT notes_1, notes_2 FROM {t} WHERE id = {meeting}",
        "insert": "INSERT INTO {t} (event_id, attendee_1_id, attendee_2_id, title, scheduled_start, scheduled_end)"
                  " VALUES ({event}, {person}, {partner}, 'x', '2040-01-01 10:00Z', '2040-01-01 10:15Z')",
        "update": "UPDATE {t} SET status = 'cancelled' WHERE id = {meeting}", "delete": "DELETE FROM {t} WHERE id = {meeting}",
    },
    "meeting_bookings": {
        "select": "SELECT 1 FROM {t} WHERE attendee_id = {person}",
        "insert": "DELETE FROM {t} WHERE meeting_id = {meeting} ;; INSERT INTO {t} (meeting_id, attendee_id, event_id, person_id, during, day,"
                  " active) VALUES ({meeting}, {person}, {event}, {sub}, '[2040-01-01 10:00Z,2040-01-01 10:15Z)', '2040-01-01', true)",
        "update": "UPDATE {t} SET active = false WHERE meeting_id = {meeting}", "delete": "DELETE FROM {t} WHERE meeting_id = {meeting}",
    },
    "meeting_places": {
        "select": "SELECT 1 FROM {t} WHERE event_id = {event}",
        "insert": "DELETE FROM {t} WHERE event_id = {event} ;; INSERT INTO {t} (meeting_id, event_id, place, during)"
                  " SELECT id, event_id, 'x', '[2040-01-01 10:00Z,2040-01-01 10:15Z)' FROM convene.meetings WHERE event_id = {event} LIMIT 1",
        "update": "UPDATE {t} SET place = 'x' WHERE event_id = {event}", "delete": "DELETE FROM {t} WHERE event_id = {event}",
    },
    "meeting_day_counts": {
        "select": "SELECT meetings FROM {t} WHERE person_id = {sub}", "insert": "INSERT INTO {t} VALUES ({sub}, '2000-01-01', 1)",
        "update": "UPDATE {t} SET meetings = 0 WHERE person_id = {sub}", "delete": "DELETE FROM {t} WHERE person_id = {sub}",
    },
    "meeting_schedule_drafts": {
        "select": "SELECT id FROM {t} WHERE event_id = {event}", "insert": "INSERT INTO {t} (event_id) VALUES ({event})",
        "update": "UPDATE {t} SET status = 'discarded' WHERE event_id = {event}", "delete": "DELETE FROM {t} WHERE event_id = {event}",
    },
    "networking_connections": {
        "select": "SELECT message FROM {t} WHERE requester_id = {person} AND target_id = {partner}",
        "select-received": "SELECT message FROM {t} WHERE target_id = {person}",
        "select-blocked": "SELECT id FROM {t} WHERE requester_id = {person} AND status = 'blocked'",
        "insert": "DELETE FROM {t} WHERE requester_id = {person} ;;"
                  " INSERT INTO {t} (event_id, requester_id, target_id) VALUES ({event}, {person}, {partner})",
        "update": "UPDATE {t} SET status = 'accepted' WHERE requester_id = {person}", "delete": "DELETE FROM {t} WHERE requester_id = {person}",
    },
}


def add_rows(world, conn):
    """Everybody in a circle: the first with the second, the second with the third, who asked the first to stay in touch."""
    for name, event in (("a", world.alpha), ("b", world.beta), ("draft", world.draft)):
        conn.execute("INSERT INTO convene.goal_complements (event_id, looking_for, can_offer) VALUES (%s, 'pilots', 'planes')", [event.id])
        conn.execute("INSERT INTO convene.meeting_schedule_drafts (event_id) VALUES (%s)", [event.id])
        for number, person in enumerate(event.people):
            conn.execute("INSERT INTO convene.networking_preferences (attendee_id, event_id) VALUES (%s, %s)", [person.id, event.id])
            other = event.people[(number + 1) % len(event.people)]
            values = {"event": event.id, "person": person.id, "partner": other.id, "number": number,
                      "match": ident("match", name, number), "meeting": ident("meeting", name, number)}
            _add(conn, values)
            row = {0: f"attendee_{name}", 1: f"colleague_{name}"}.get(number)
            if row in world.rows:
                world.rows[row].update(partner=other.id, match=values["match"], meeting=values["meeting"])
    world.rows["a"]["other_event"] = world.beta.id
    conn.execute("INSERT INTO convene.networking_connections (event_id, requester_id, target_id, status) VALUES (%s, %s, %s, 'blocked')",
                 [world.alpha.id, world.alpha.people[0].id, world.alpha.people[2].id])


def _add(conn, values):
    conn.execute("INSERT INTO convene.matches (id, event_id, attendee_1_id, attendee_2_id, compatibility_score, matching_algorithm)"
                 f" VALUES (%(match)s, %(event)s, {PAIR.format(person='%(person)s', partner='%(partner)s')}, 0.5, 'hybrid')", values)
    conn.execute(
        """INSERT INTO convene.meetings (id, event_id, match_id, attendee_1_id, attendee_2_id, title, scheduled_start, scheduled_end,
                                         location_type, location_details)
           SELECT %(meeting)s, e.id, %(match)s, %(person)s, %(partner)s, 'Talk', m.at, m.at + interval '15 min', 'onsite', '{"table": 1}'
           FROM convene.events e, LATERAL (SELECT e.start_at + %(number)s * interval '1 h' AS at) m WHERE e.id = %(event)s""", values)
    conn.execute("INSERT INTO convene.networking_connections (event_id, requester_id, target_id, message)"
                 " VALUES (%(event)s, %(person)s, %(partner)s, 'Hello')", values)
