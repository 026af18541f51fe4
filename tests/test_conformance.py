"""What the requirements name is there: tables, columns and indexes, against two lists made by hand from the documents.

data/conformance.csv has a row for each column, or for a table alone where nothing names its columns. `type` is a family, or
several with a bar between them where the documents leave it open. `required` is not_null, nullable (somebody must be able to
leave it out), generated, or any (the documents allow null; a stricter table is welcome).
"""

import csv
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.house

DATA = Path(__file__).parent / "data"

TABLES = {
    "identity": "profiles organizations organization_members users roles person_blocks person_reports",
    "events": "events venues sessions speakers attendees event_materials event_announcements event_feedback event_analytics",
    "ticketing": """ticket_types orders order_items tickets check_ins seat_maps seat_assignments bundles bundle_items vouchers
        voucher_redemptions promoters promoter_commissions waitlist_entries session_registrations""",
    "crm": "contacts companies leads opportunities interactions campaigns campaign_recipients tasks notes",
    "recommendation": """attendee_preferences session_embeddings session_interactions recommendation_history experiments
        experiment_variants experiment_assignments session_weights recommendation_cache""",
    "networking": """networking_preferences goal_complements matches meetings meeting_bookings meeting_day_counts
        meeting_schedule_drafts networking_connections""",
    "peers": "contractors event_attendees event_peer_matches service_families message_templates peer_messages",
    "sponsorship": """sponsors sponsor_profiles sponsorship_packages event_sponsorships event_audience_insights event_embeddings
        sponsorship_matches fit_recalc_queue scoring_weights event_quality_scores sponsor_event_fit_scores mv_refresh_log""",
    "signals": "event_impressions ticket_analytics post_views event_video_counters",
    "leads": "lead_scoring lead_interactions models crm_sync_queue",
    "money": """sponsorship_orders sponsorship_deliverables sponsorship_payouts payout_configurations payout_queue ledger
        stripe_events""",
    "platform": "outbox embedding_queue audit_log settings schema_version job_runs embedding_models",
}

# Names of types in the catalogue, where they are not the family's own. A timestamp without a time zone is no moment.
FAMILIES = {
    "int2": "integer", "int4": "integer", "int8": "integer", "float4": "real", "float8": "real", "bool": "boolean",
    "varchar": "text", "name": "text", "_text": "text[]", "_varchar": "text[]", "_uuid": "uuid[]", "tstzrange": "range",
    "timestamptz": "timestamp", "timestamp": "a local time",
}
LISTED_FAMILIES = {"uuid", "date", "jsonb", "vector", "inet", "numeric", *FAMILIES.values()} - {"a local time"}


def rows(name):
    with open(DATA / name, newline="") as file:
        return list(csv.DictReader(file))


def by_table(listed):
    return {table: [row for row in listed if row["table"] == table] for table in dict.fromkeys(row["table"] for row in listed)}


COLUMNS = by_table(rows("conformance.csv"))
INDEXES = by_table(rows("indexes.csv"))


def present(conn):
    return {row[0] for row in conn.execute(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'convene'::regnamespace AND relkind IN ('r', 'p')")}


def column_faults(conn, table):
    """What the table's columns lack, one line each."""
    found = {row[0]: row[1:] for row in conn.execute(
        """SELECT attname::text, typname::text, attnotnull, attgenerated <> ''
             FROM pg_attribute a JOIN pg_type t ON t.oid = atttypid
            WHERE attrelid = to_regclass('convene.' || %s) AND attnum > 0 AND NOT attisdropped""", [table])}
    for row in COLUMNS[table]:
        if not row["column"]:
            continue
        name = f"{table}.{row['column']} (document {row['source']})"
        if row["column"] not in found:
            yield f"{name} is missing"
            continue
        kind, not_null, generated = found[row["column"]]
        kind = FAMILIES.get(kind, kind)
        if kind not in row["type"].split("|"):
            yield f"{name} is {kind}, not {row['type']}"
        if row["required"] == "generated" and not generated:
            yield f"{name} is not generated"
        if row["required"] == "not_null" and not not_null:
            yield f"{name} may be null"
        if row["required"] == "nullable" and not_null:
            yield f"{name} may not be null"


def leads_with(keys, predicate, wanted):
    # Direction is not compared: an index is read both ways, and the columns before the last are held equal.
    names = [column.removesuffix(" DESC") for column in wanted.split(",")]
    return keys[:len(names)] == names and predicate in (None, f"({names[0]} IS NOT NULL)")


def index_faults(conn, table):
    """The listed indexes for which the table has none that would serve."""
    found = conn.execute(
        """SELECT amname::text, pg_get_expr(indpred, indrelid),
                  ARRAY(SELECT pg_get_indexdef(indexrelid, n, true) FROM generate_series(1, indnkeyatts) n)
             FROM pg_index i JOIN pg_class c ON c.oid = indexrelid JOIN pg_am m ON m.oid = relam
            WHERE indrelid = to_regclass('convene.' || %s) AND indisvalid""", [table]).fetchall()
    for row in INDEXES.get(table, []):
        wanted = row["columns"]
        served = [
            # Vectors have no fixed dimension, so their indexes are on a cast, one for each model.
            re.search(rf"\b{wanted}\b", keys[0]) if method == "hnsw" else leads_with(keys, predicate, wanted)
            for method, predicate, keys in found if method == row["method"]
        ]
        if not any(served):
            yield f"{table}: no {row['method']} index on {wanted} (document {row['source']})"


def faults(conn, table):
    if table not in present(conn):
        return [f"{table} is missing"]
    return [*column_faults(conn, table), *index_faults(conn, table)]


def test_no_table_is_missing(conn):
    assert sorted(COLUMNS.keys() - present(conn)) == []


@pytest.mark.parametrize("table", COLUMNS)
def test_table(conn, table):
    assert faults(conn, table) == []


def test_the_list_names_every_table():
    named = [table for domain in TABLES.values() for table in domain.split()]
    assert len(named) == len(set(named))
    assert sorted(set(named) ^ COLUMNS.keys()) == []


def test_the_lists_can_be_read():
    listed = [row for table in COLUMNS.values() for row in table]
    assert len({(row["table"], row["column"]) for row in listed}) == len(listed)
    assert {row["source"] for row in listed} == {"1", "2", "3", "4", "5", "design"}
    named = [row for row in listed if row["column"]]
    assert {row["required"] for row in named} == {"not_null", "nullable", "generated", "any"}
    assert {kind for row in named for kind in row["type"].split("|")} <= LISTED_FAMILIES
    # A table named alone has no other row.
    assert all(len(table) == 1 for table in COLUMNS.values() if not table[0]["column"])
    # An index is on listed columns.
    for table, indexes in INDEXES.items():
        columns = {row["column"] for row in COLUMNS[table]}
        assert {name.removesuffix(" DESC") for row in indexes for name in row["columns"].split(",")} <= columns
        assert {row["method"] for row in indexes} <= {"btree", "gin", "hnsw"}


BROKEN = [
    ("DROP TABLE convene.sessions CASCADE", "sessions", "sessions is missing"),
    ("ALTER TABLE convene.sessions DROP topics CASCADE", "sessions", "sessions.topics (document design) is missing"),
    ("ALTER TABLE convene.speakers ALTER speaker_fee TYPE real", "speakers",
     "speakers.speaker_fee (document 4) is real, not numeric"),
    ("ALTER TABLE convene.speakers ALTER confirmation_date TYPE timestamp", "speakers",
     "speakers.confirmation_date (document 4) is a local time, not timestamp"),
    ("ALTER TABLE convene.sessions ALTER duration_minutes DROP EXPRESSION", "sessions",
     "sessions.duration_minutes (document 4) is not generated"),
    ("ALTER TABLE convene.sessions ALTER title DROP NOT NULL", "sessions", "sessions.title (document 4) may be null"),
    ("ALTER TABLE convene.embedding_queue ALTER last_error SET NOT NULL", "embedding_queue",
     "embedding_queue.last_error (document design) may not be null"),
    ("DROP INDEX convene.idx_attendee_preferences_topics", "attendee_preferences",
     "attendee_preferences: no gin index on preferred_topics (document 1)"),
    ("DROP INDEX convene.idx_recommendation_history_shown_at", "recommendation_history",
     "recommendation_history: no btree index on shown_at DESC (document 1)"),
    ("UPDATE pg_index SET indisvalid = false WHERE indrelid = 'convene.session_embeddings'::regclass", "session_embeddings",
     "session_embeddings: no hnsw index on embedding (document 1)"),
]


@pytest.mark.parametrize(("breach", "table", "fault"), BROKEN)
def test_a_fault_is_found(conn, breach, table, fault):
    with conn.transaction(force_rollback=True):
        before = faults(conn, table)
        conn.execute(breach)
        assert fault not in before and fault in faults(conn, table)
