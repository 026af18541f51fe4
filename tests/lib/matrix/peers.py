"""The cells of domain peers."""

from ..factory import ident

STATEMENTS = {
    "contractors": {
        "select": "SELECT phone FROM {t} WHERE id = {contractor}",
        "insert": "DELETE FROM {t} WHERE id = {contractor} ;; INSERT INTO {t} (profile_id, first_name) VALUES ({sub}, 'x')",
        "insert-stopped": "DELETE FROM {t} WHERE id = {contractor} ;; INSERT INTO {t} (profile_id, first_name, messages_stopped_at)"
                          " VALUES ({sub}, 'x', now())",
        "update": "UPDATE {t} SET phone = '1' WHERE id = {contractor}",
        "update-stopped": "UPDATE {t} SET messages_stopped_at = NULL WHERE id = {contractor}",
        "update-profile": "UPDATE {t} SET profile_id = NULL WHERE id = {contractor}",
        "delete": "DELETE FROM {t} WHERE id = {contractor}",
    },
    "event_attendees": {
        "select": "SELECT event_id FROM {t} WHERE contractor_id = {contractor}",
        "insert": "INSERT INTO {t} (event_id, contractor_id) VALUES ({event}, {newcomer})",
        "insert-opt-in": "INSERT INTO {t} (event_id, contractor_id, peer_matching_opt_in) VALUES ({event}, {newcomer}, true)",
        "update": "UPDATE {t} SET created_at = now() WHERE contractor_id = {contractor}",
        "update-opt-in": "UPDATE {t} SET peer_matching_opt_in = NOT peer_matching_opt_in WHERE contractor_id = {contractor}",
        "update-muted": "UPDATE {t} SET muted_until = now() WHERE contractor_id = {contractor}",
        "update-check-in": "UPDATE {t} SET checked_in_at = now() WHERE contractor_id = {contractor}",
        "update-opted-out": "UPDATE {t} SET opted_out_at = now() WHERE contractor_id = {contractor}",
        "delete": "DELETE FROM {t} WHERE contractor_id = {contractor}",
    },
    "event_peer_matches": {
        "select": "SELECT id FROM {t} WHERE id = {peer_match}", "select-feedback": "SELECT feedback_contractor2 FROM {t} WHERE id = {peer_match}",
        "select-message": "SELECT introduction_message FROM {t} WHERE id = {peer_match}",
        "select-rating": "SELECT rating_contractor2 FROM {t} WHERE id = {peer_match}",
        "insert": "DELETE FROM {t} WHERE id = {peer_match} ;; INSERT INTO {t} (event_id, contractor1_id, contractor2_id, match_type,"
                  " match_score) VALUES ({event}, {first}, {second}, 'ideal_peer', 1)",
        "update": "UPDATE {t} SET contractor1_response = true, contractor2_response = true WHERE id = {peer_match}",
        "delete": "DELETE FROM {t} WHERE id = {peer_match}",
    },
    "service_families": {
        "select": "SELECT service FROM {t} WHERE service = 'hvac'", "insert": "INSERT INTO {t} (family, service) VALUES ('x', 'x')",
        "update": "UPDATE {t} SET family = 'x' WHERE service = 'hvac'", "delete": "DELETE FROM {t} WHERE service = 'hvac'",
    },
    "message_templates": {
        "select": "SELECT id FROM {t} WHERE id = {template}",
        "insert": "INSERT INTO {t} (event_id, phase, language, body) VALUES ({template_event}, 'help', 'fr', 'Bonjour')",
        "update": "UPDATE {t} SET body = 'x' WHERE id = {template}",
        "update-to-global": "UPDATE {t} SET event_id = NULL, language = 'fr' WHERE id = {template}",
        "delete": "DELETE FROM {t} WHERE id = {template}",
    },
    "peer_messages": {
        "select": "SELECT body FROM {t} WHERE contractor_id = {contractor}",
        "insert": "INSERT INTO {t} (contractor_id, direction, status, body) VALUES ({contractor}, 'in', 'received', 'YES')",
        "update": "UPDATE {t} SET closed_at = now() WHERE contractor_id = {contractor}",
        "delete": "DELETE FROM {t} WHERE contractor_id = {contractor}",
    },
}


def add_rows(world, conn):
    """Each event's first attendee as a contractor matched with another; a text of each event, and one of all."""
    contractors = {}
    for person in ("attendee_a", "colleague_a", "attendee_b", "somebody_b"):
        row = world.rows.get(person) or {**world.rows["b"], "person": None, "sub": None}
        contractors[person] = row["contractor"] = ident("contractor", person)
        conn.execute("INSERT INTO convene.contractors (id, profile_id, first_name, phone) VALUES (%s, %s, %s, '555-0100')",
                     [row["contractor"], row["sub"], person])
        conn.execute("INSERT INTO convene.event_attendees (event_id, contractor_id, attendee_id, peer_matching_opt_in)"
                     " VALUES (%s, %s, %s, %s)", [row["event"], row["contractor"], row["person"], person != "attendee_a"])
    conn.execute("INSERT INTO convene.contractors (id, first_name) VALUES (%s, 'New')", [ident("newcomer")])
    for name in ("a", "b"):
        event, match, template = world.rows[name]["event"], ident("peer match", name), ident("template", name)
        first, second = sorted(contractor for person, contractor in contractors.items() if person.endswith(name))
        world.rows[name]["newcomer"] = ident("newcomer")
        world.rows[f"peers-{name}"] = {"event": event, "peer_match": match, "first": first, "second": second,
                                       "template": template, "template_event": event}
        conn.execute("INSERT INTO convene.event_peer_matches (id, event_id, contractor1_id, contractor2_id, match_type, match_score)"
                     " VALUES (%s, %s, %s, %s, 'ideal_peer', 0.9)", [match, event, first, second])
        conn.execute("INSERT INTO convene.message_templates (id, event_id, phase, body) VALUES (%s, %s, 'help', 'Help')", [template, event])
        for contractor in (first, second):
            conn.execute("INSERT INTO convene.peer_messages (event_id, contractor_id, match_id, direction, kind, status, body)"
                         " VALUES (%s, %s, %s, 'out', 'introduction', 'sent', 'Hello')", [event, contractor, match])
    shared = conn.execute("SELECT id FROM convene.message_templates WHERE event_id IS NULL AND phase = 'help'").fetchone()[0]
    world.rows["peers-global"] = {"template": shared, "template_event": None}
