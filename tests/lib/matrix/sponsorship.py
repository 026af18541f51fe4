"""The cells of domain sponsorship."""

from ..factory import ident

_SPONSOR = "WHERE sponsor_id = {sponsor}"
_EVENT = "WHERE event_id = {event}"

STATEMENTS = {
    "sponsors": {
        "select": "SELECT id FROM {t} WHERE id = {sponsor}", "select-notes": "SELECT notes FROM {t} WHERE id = {sponsor}",
        "select-forecast": "SELECT renewal_probability FROM {t} WHERE id = {sponsor}",
        "insert": "INSERT INTO {t} (event_id, company_name) VALUES ({event}, 'x')",
        "update": "UPDATE {t} SET status = 'active', notes = 'x' WHERE id = {sponsor}",
        "update-score": "UPDATE {t} SET engagement_score = 100 WHERE id = {sponsor}",
        "update-roi": "UPDATE {t} SET actual_roi = 1000 WHERE id = {sponsor}",
        "update-forecast": "UPDATE {t} SET renewal_likely = true WHERE id = {sponsor}",
        "update-event": "UPDATE {t} SET event_id = event_id WHERE id = {sponsor}", "delete": "DELETE FROM {t} WHERE id = {sponsor}",
    },
    "sponsor_profiles": {
        "select": f"SELECT industry FROM {{t}} {_SPONSOR}",
        "insert": f"DELETE FROM {{t}} {_SPONSOR} ;; INSERT INTO {{t}} (sponsor_id, regions) VALUES ({{sponsor}}, '{{{{CA}}}}')",
        "update": f"UPDATE {{t}} SET annual_budget_cents = 1 {_SPONSOR}",
        "update-vector": f"UPDATE {{t}} SET objectives_embedding = '[1,2,3,4,5,6,7,8]', embedding_model = 'test-model-8' {_SPONSOR}",
        "update-reputation": f"UPDATE {{t}} SET reputation_score = 100 {_SPONSOR}",
        "update-rev": f"UPDATE {{t}} SET rev = 1 {_SPONSOR}", "delete": f"DELETE FROM {{t}} {_SPONSOR}",
    },
    "sponsorship_packages": {
        "select": "SELECT id FROM {t} WHERE id = {package}",
        "insert": "INSERT INTO {t} (event_id, package_name, tier, price_cents, total_available) VALUES ({event}, 'x', 'gold', 1, 1)",
        "update": "UPDATE {t} SET price_cents = 2 WHERE id = {package}", "update-sold": "UPDATE {t} SET sold = 1 WHERE id = {package}",
        "delete": "DELETE FROM {t} WHERE id = {package}",
    },
    "event_sponsorships": {
        "select": f"SELECT id FROM {{t}} {_SPONSOR} AND event_id = {{event}}",
        "insert": f"DELETE FROM {{t}} {_SPONSOR} ;; INSERT INTO {{t}} (event_id, sponsor_id) VALUES ({{event}}, {{sponsor}})",
        # A sponsor of the market, or somebody else's, who has not signed here.
        "insert-foreign": "INSERT INTO {t} (event_id, sponsor_id) VALUES ({event}, {other_sponsor})",
        "update": f"UPDATE {{t}} SET status = 'active' {_SPONSOR} AND event_id = {{event}}",
        "update-roi": f"UPDATE {{t}} SET roi = 1000 {_SPONSOR}",
        "update-sponsor": f"UPDATE {{t}} SET sponsor_id = {{other_sponsor}} {_SPONSOR}",
        "delete": f"DELETE FROM {{t}} {_SPONSOR} AND event_id = {{event}}",
    },
    "event_audience_insights": {
        "select": f"SELECT attendee_count FROM {{t}} {_EVENT}",
        "insert": f"DELETE FROM {{t}} {_EVENT} ;; INSERT INTO {{t}} (event_id) VALUES ({{event}})",
        "update": f"UPDATE {{t}} SET engagement_score = 1 {_EVENT}", "delete": f"DELETE FROM {{t}} {_EVENT}",
    },
    "event_embeddings": {
        "select": f"SELECT source_text FROM {{t}} {_EVENT}",
        "insert": f"DELETE FROM {{t}} {_EVENT} ;; INSERT INTO {{t}} (event_id, embedding, source_text, embedding_model)"
                  " VALUES ({event}, '[1,2,3,4,5,6,7,8]', 'x', 'test-model-8')",
        "update": f"UPDATE {{t}} SET source_text = 'y' {_EVENT}", "update-rev": f"UPDATE {{t}} SET rev = 1 {_EVENT}",
        "delete": f"DELETE FROM {{t}} {_EVENT}",
    },
    "sponsorship_matches": {
        "select": f"SELECT score FROM {{t}} {_SPONSOR} AND event_id = {{event}}",
        "insert": f"DELETE FROM {{t}} {_SPONSOR} ;;"
                  " INSERT INTO {t} (event_id, sponsor_id, score, status) VALUES ({event}, {sponsor}, 1, 'accepted')",
        "update": f"UPDATE {{t}} SET status = 'accepted' {_SPONSOR}", "delete": f"DELETE FROM {{t}} {_SPONSOR}",
    },
    "fit_recalc_queue": {
        "select": f"SELECT id FROM {{t}} {_EVENT}", "insert": "INSERT INTO {t} (event_id) VALUES ({event})",
        "update": f"UPDATE {{t}} SET priority = 9 {_EVENT}", "delete": f"DELETE FROM {{t}} {_EVENT}",
    },
    "fit_revisions": {
        "select": "SELECT rev FROM {t} WHERE kind = 'weights'",
        "insert": "INSERT INTO {t} (kind, target_id, rev) VALUES ('insights', gen_random_uuid(), 1)",
        "update": "UPDATE {t} SET rev = rev + 1 WHERE kind = 'weights'", "delete": "DELETE FROM {t} WHERE kind = 'weights'",
    },
    "event_quality_scores": {
        "select": f"SELECT quality_tier FROM {{t}} {_EVENT}",
        "insert": f"DELETE FROM {{t}} {_EVENT} ;; INSERT INTO {{t}} (event_id, quality_score) VALUES ({{event}}, 100)",
        "update": f"UPDATE {{t}} SET quality_score = 100 {_EVENT}", "delete": f"DELETE FROM {{t}} {_EVENT}",
    },
    "sponsor_event_fit_scores": {
        "select": f"SELECT score FROM {{t}} {_SPONSOR} AND event_id = {{event}}",
        "insert": f"DELETE FROM {{t}} {_SPONSOR} ;; INSERT INTO {{t}} (sponsor_id, event_id, score) VALUES ({{sponsor}}, {{event}}, 1)",
        "update": f"UPDATE {{t}} SET score = 1 {_SPONSOR}", "delete": f"DELETE FROM {{t}} {_SPONSOR}",
    },
    "sponsor_cards": {
        "select": f"SELECT industry FROM {{t}} {_SPONSOR}",
        "insert": f"DELETE FROM {{t}} {_SPONSOR} ;; INSERT INTO {{t}} (sponsor_id, company_name, sponsor_status)"
                  " VALUES ({sponsor}, 'x', 'active')",
        "update": f"UPDATE {{t}} SET reputation_score = 100 {_SPONSOR}", "delete": f"DELETE FROM {{t}} {_SPONSOR}",
    },
    "marketplace_days": {
        "select": "SELECT matches FROM {t}", "insert": "INSERT INTO {t} (day) VALUES ('2001-01-01')",
        "update": "UPDATE {t} SET matches = 9", "delete": "DELETE FROM {t}",
    },
    # Nobody's but the owner's, and nobody writes to a materialised view.
    **{name: {"select": "SELECT event_id FROM {t}", "insert": "INSERT INTO {t} (event_id) VALUES ({event})",
              "update": "UPDATE {t} SET event_id = event_id", "delete": "DELETE FROM {t}"}
       for name in ("mv_event_quality_scores", "mv_sponsor_event_fit_scores")},
    "mv_refresh_log": {
        "select": "SELECT view_name FROM {t} LIMIT 1", "insert": "INSERT INTO {t} (view_name) VALUES ('x')",
        "update": "UPDATE {t} SET message = 'x'", "delete": "DELETE FROM {t}",
    },
}


def add_rows(world, conn):
    """What is known and computed of events and of their sponsors; one sponsor on the market, whose person is sponsor_a too."""
    add_sponsors(world, conn)
    for name in ("a", "b", "draft"):
        event = world.rows[name]["event"]
        conn.execute("INSERT INTO convene.event_audience_insights (event_id, attendee_count) VALUES (%s, 3)", [event])
        conn.execute("INSERT INTO convene.event_embeddings (event_id, embedding, source_text, embedding_model)"
                     " VALUES (%s, '[1,2,3,4,5,6,7,8]', 'x', 'test-model-8')", [event])
        conn.execute("INSERT INTO convene.event_quality_scores (event_id, quality_score) VALUES (%s, 70)", [event])
        conn.execute("INSERT INTO convene.fit_recalc_queue (event_id) VALUES (%s)", [event])
    for name in ("a", "b"):
        row = world.rows[f"sponsor_{name}"]
        row["other_sponsor"] = ident("sponsor", "market")
        _known(conn, row["sponsor"], row["event"])
        conn.execute("INSERT INTO convene.event_sponsorships (event_id, sponsor_id, status) VALUES (%s, %s, 'confirmed')",
                     [row["event"], row["sponsor"]])
    # Event b fits the one on the market, and has proposed, but nothing is signed.
    market, b = ident("sponsor", "market"), world.rows["b"]
    conn.execute("INSERT INTO convene.sponsors (id, profile_id, company_name) VALUES (%s, %s, 'Market')",
                 [market, world.roles["sponsor_a"][1]])
    _known(conn, market, b["event"])
    conn.execute("INSERT INTO convene.event_sponsorships (event_id, sponsor_id) VALUES (%s, %s)", [b["event"], market])
    world.rows["market"] = {"event": None, "sponsor": market}
    world.rows["market_at_b"] = {**b, "sponsor": market, "other_sponsor": ident("sponsor", "a")}
    conn.execute("INSERT INTO convene.marketplace_days (day) VALUES ('2000-01-01')")
    conn.execute("INSERT INTO convene.mv_refresh_log (view_name) VALUES ('mv_event_quality_scores')")


def add_sponsors(world, conn):
    """A package of each event, and of a and b a sponsor who signs in: rows 'sponsor_a' and 'sponsor_b'. Made once, by whichever
    domain comes first."""
    if "sponsor_a" in world.rows:
        return
    for name in ("a", "b", "draft"):
        row = world.rows[name]
        row["package"] = ident("package", name)
        conn.execute("INSERT INTO convene.sponsorship_packages (id, event_id, package_name, tier, price_cents, total_available)"
                     " VALUES (%(package)s, %(event)s, 'Gold', 'gold', 500000, 3)", row)
    for name in ("a", "b"):
        row = {**world.rows[name], "sponsor": ident("sponsor", name), "sub": world.roles[f"sponsor_{name}"][1]}
        world.rows[f"sponsor_{name}"] = row
        conn.execute("INSERT INTO convene.sponsors (id, event_id, profile_id, company_name, package_id, sponsorship_tier, status)"
                     " VALUES (%(sponsor)s, %(event)s, %(sub)s, 'Sponsor', %(package)s, 'gold', 'active')", row)


def _known(conn, sponsor, event):
    conn.execute("INSERT INTO convene.sponsor_profiles (sponsor_id, annual_budget_cents) VALUES (%s, 5000000)", [sponsor])
    conn.execute("INSERT INTO convene.sponsorship_matches (event_id, sponsor_id, score) VALUES (%s, %s, 0.5)", [event, sponsor])
    conn.execute("INSERT INTO convene.sponsor_event_fit_scores (sponsor_id, event_id, score) VALUES (%s, %s, 0.5)", [sponsor, event])
