"""The cells of domain recommendation."""

from ..factory import ident

STATEMENTS = {
    "attendee_preferences": {
        "select": "SELECT id FROM {t} WHERE attendee_id = {person}",
        "insert": "DELETE FROM {t} WHERE attendee_id = {person} ;; INSERT INTO {t} (attendee_id, event_id) VALUES ({person}, {event})",
        "update": "UPDATE {t} SET preferred_topics = '{{x}}' WHERE attendee_id = {person}",
        "update-rev": "UPDATE {t} SET rev = 1 WHERE attendee_id = {person}", "delete": "DELETE FROM {t} WHERE attendee_id = {person}",
    },
    "session_interactions": {
        "select": "SELECT 1 FROM {t} WHERE attendee_id = {person} LIMIT 1",
        "insert": "DELETE FROM {t} WHERE attendee_id = {person} ;; INSERT INTO {t} (attendee_id, event_id, session_id, kind)"
                  " VALUES ({person}, {event}, {session}, 'browsed')",
        "update": "UPDATE {t} SET at = now() - interval '1 h' WHERE attendee_id = {person}",
        "delete": "DELETE FROM {t} WHERE attendee_id = {person}",
    },
    "session_embeddings": {
        "select": "SELECT id FROM {t} WHERE session_id = {session}",
        "insert": "DELETE FROM {t} WHERE session_id = {session} ;; INSERT INTO {t} (session_id, event_id, embedding, source_text,"
                  " embedding_model) VALUES ({session}, {event}, '[1,2,3,4,5,6,7,8]', 'x', 'test-model-8')",
        "update": "UPDATE {t} SET source_text = 'x' WHERE session_id = {session}",
        "delete": "DELETE FROM {t} WHERE session_id = {session}",
    },
    "session_weights": {
        "select": "SELECT session_id FROM {t} WHERE event_id = {event} LIMIT 1",
        "insert": "DELETE FROM {t} WHERE event_id = {event} ;; INSERT INTO {t} VALUES ({event}, {session}, '{{}}', '{{}}', '{{}}', 'ease')",
        "update": "UPDATE {t} SET algorithm = 'bm25' WHERE event_id = {event}", "delete": "DELETE FROM {t} WHERE event_id = {event}",
    },
    "recommendation_models": {
        "select": "SELECT event_id FROM {t} WHERE event_id = {event}",
        "insert": "DELETE FROM {t} WHERE event_id = {event} ;;"
                  " INSERT INTO {t} (event_id, algorithm, interactions, people, sessions) VALUES ({event}, 'ease', 1, 1, 1)",
        "update": "UPDATE {t} SET interactions = 9 WHERE event_id = {event}", "delete": "DELETE FROM {t} WHERE event_id = {event}",
    },
    "event_popularity": {
        "select": "SELECT event_id FROM {t} WHERE event_id = {event}",
        "insert": "DELETE FROM {t} WHERE event_id = {event} ;;"
                  " INSERT INTO {t} (event_id, session_ids, people, interactions) VALUES ({event}, '{{}}', '{{}}', 0)",
        "update": "UPDATE {t} SET interactions = 9 WHERE event_id = {event}", "delete": "DELETE FROM {t} WHERE event_id = {event}",
    },
    "recommendation_cache": {
        "select": "SELECT attendee_id FROM {t} WHERE attendee_id = {person}",
        "insert": "DELETE FROM {t} WHERE attendee_id = {person} ;; INSERT INTO {t} (attendee_id, event_id, attendee_rev, fingerprint,"
                  " valid_from, valid_until, picks) VALUES ({person}, {event}, 0, 'x', now(), now(), '')",
        "update": "UPDATE {t} SET fingerprint = 'x' WHERE attendee_id = {person}",
        "delete": "DELETE FROM {t} WHERE attendee_id = {person}",
    },
    "recommendation_history": {
        "select": "SELECT id FROM {t} WHERE attendee_id = {person} LIMIT 1",
        "insert": "INSERT INTO {t} (attendee_id, event_id, recommended_item_type, recommended_item_id, recommendation_algorithm)"
                  " VALUES ({person}, {event}, 'session', {session}, 'hybrid')",
        "update": "UPDATE {t} SET clicked = true WHERE attendee_id = {person}",
        "delete": "DELETE FROM {t} WHERE attendee_id = {person}",
    },
    "experiments": {
        "select": "SELECT id FROM {t} WHERE organization_id = {organization}",
        "insert": "INSERT INTO {t} (organization_id, name, surface) VALUES ({organization}, 'x', 'networking')",
        "update": "UPDATE {t} SET status = 'stopped', stopped_at = now() WHERE organization_id = {organization}",
        "delete": "DELETE FROM {t} WHERE organization_id = {organization}",
    },
    "experiment_variants": {
        "select": "SELECT id FROM {t} WHERE organization_id = {organization}",
        "insert": "INSERT INTO {t} (organization_id, experiment_id, name, share) VALUES ({organization}, {experiment}, 'x', 1)",
        "update": "UPDATE {t} SET share = 1 WHERE organization_id = {organization}",
        "delete": "DELETE FROM {t} WHERE organization_id = {organization}",
    },
    "experiment_assignments": {
        "select": "SELECT unit_id FROM {t} WHERE experiment_id = {experiment}",
        "insert": "INSERT INTO {t} (experiment_id, unit_id, variant_id) VALUES ({experiment}, {new}, {experiment})",
        "update": "UPDATE {t} SET unit_id = {new} WHERE experiment_id = {experiment}",
        "delete": "DELETE FROM {t} WHERE experiment_id = {experiment}",
    },
}


def add_rows(world, conn):
    """An experiment of each organization that runs, with one variant of the same id, given to one unit."""
    for name in ("a", "b"):
        row, experiment = world.rows[name], ident("experiment", name)
        row.update(experiment=experiment, new=ident("unit"))
        values = {"id": experiment, "organization": row["organization"], "unit": ident("unit", name)}
        for statement in (
            "INSERT INTO convene.experiments (id, organization_id, name, surface, status, started_at)"
            " VALUES (%(id)s, %(organization)s, 'Weights', 'networking', 'running', now())",
            "INSERT INTO convene.experiment_variants (id, organization_id, experiment_id, name, share)"
            " VALUES (%(id)s, %(organization)s, %(id)s, 'new', 0.5)",
            "INSERT INTO convene.experiment_assignments (experiment_id, unit_id, variant_id) VALUES (%(id)s, %(unit)s, %(id)s)",
        ):
            conn.execute(statement, values)
