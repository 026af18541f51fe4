"""A market: events with packages, sponsors with profiles, and matches between them, as plain inserts of a superuser."""

import json

from .factory import ident

METRICS = {"budget_fit": 0.5, "audience_overlap": {"categories": 1, "geo": 0.5}, "geo_fit": 0.25, "engagement_quality": 0.75,
           "objectives_similarity": 0.5, "coverage": 1}


def add_sponsor(conn, name, *, event=None, profile=None, budget=None, model=None, vector=None, with_profile=True, **columns):
    """A sponsor, of the market where no event is given; `profile` is the person who signs in for it."""
    sponsor = ident("sponsor", name)
    if profile:
        conn.execute("INSERT INTO convene.profiles (id) VALUES (%s) ON CONFLICT DO NOTHING", [profile])
    insert(conn, "sponsors", id=sponsor, event_id=event, profile_id=profile, company_name=name, **columns)
    if with_profile:
        insert(conn, "sponsor_profiles", sponsor_id=sponsor, annual_budget_cents=budget, embedding_model=model,
               objectives_embedding=vector and str(vector))
    return sponsor


def add_package(conn, event, name="Gold", price=1000, total=3, **columns):
    return insert(conn, "sponsorship_packages", event_id=event, package_name=name, tier="gold", price_cents=price,
                  total_available=total, **columns)["id"]


def match(conn, event, sponsor, score, **columns):
    insert(conn, "sponsorship_matches", event_id=event, sponsor_id=sponsor, score=score, overlap_metrics=json.dumps(METRICS), **columns)


def insert(conn, table, **columns):
    """The row that was inserted, by column."""
    places = ", ".join(["%s"] * len(columns))
    cursor = conn.execute(f"INSERT INTO convene.{table} ({', '.join(columns)}) VALUES ({places}) RETURNING *", list(columns.values()))
    return dict(zip((column.name for column in cursor.description), cursor.fetchone()))


def refresh(conn, which=None):
    """{part: (status, rows)} of a refresh."""
    return {row[0]: row[1:] for row in conn.execute(
        "SELECT part, status, rows_changed FROM convene.refresh_marketplace(%s)", [which])}
