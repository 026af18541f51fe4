"""What the insights of an event must be: a slow reference that reads every signal there is, and makers of signals."""

from collections import Counter
from datetime import datetime, timezone
from fractions import Fraction

# As much as the column of the dwell time can hold.
MOST = Fraction(99_999_999_999_999, 100)
TABLES = ["event_impressions", "post_views", "ticket_analytics"]
FIGURES = ["attendee_count", "avg_dwell_time_ms", "geo_distribution", "age_segments", "engagement_score",
           "ticket_conversion_rate", "social_mentions", "sentiment_score"]
# The words that the tests send for a country, and the form in which they are counted.
COUNTRIES = {"DE": "DE", "Germany": "DE", " de ": "DE", "FR": "FR", "france": "FR", "JP": "JP", "Atlantis": "atlantis"}
COLUMNS = {
    "event_impressions": "impressions, dwell_time_ms, country, age_bucket",
    "post_views": "views, dwell_time_ms, watch_percentage, mentions, sentiment",
    "ticket_analytics": "ticket_views, purchases",
}


def moment(year, month, day=1, **clock):
    return datetime(year, month, day, tzinfo=timezone.utc, **clock)


def signals(conn, table, event=None, condition="true"):
    """The signals as they are, of an event or with the event in front."""
    if event is None:
        return conn.execute(f"SELECT event_id, {COLUMNS[table]} FROM convene.{table} WHERE {condition}").fetchall()
    return conn.execute(f"SELECT {COLUMNS[table]} FROM convene.{table} WHERE event_id = %s", [event]).fetchall()


def saturating(rate, half):
    return rate / (rate + half)


def mean(part, whole):
    return Fraction(part) / Fraction(whole) if whole > 0 else None


def rounded(value, places):
    """Half away from zero, as numbers are rounded by hand."""
    if value is None:
        return None
    scaled = abs(value) * 10 ** places
    whole = int(scaled + Fraction(1, 2))
    return (whole if value >= 0 else -whole) / 10 ** places


def expected(conn, event, gone=None):
    """The figures of an event by reading everything. `gone`: {table: rows} of months that were dropped."""
    rows = {table: signals(conn, table, event) + list((gone or {}).get(table, [])) for table in TABLES}
    impressions, posts, tickets = (rows[table] for table in TABLES)
    shown = sum(row[0] for row in impressions)
    dwell = [(row[1], row[0]) for row in impressions + posts if row[1] is not None and row[0] > 0]
    videos = conn.execute("SELECT views, watch_percentage, likes, shares FROM convene.event_video_counters WHERE event_id = %s",
                          [event]).fetchall()
    watched = [(row[2], row[0]) for row in posts if row[2] is not None] + [(row[1], row[0]) for row in videos if row[1] is not None]
    looks, bought = sum(row[0] for row in tickets), sum(row[1] for row in tickets)
    mentions = sum(row[3] for row in posts)
    texts = [(row[4], max(row[3], 1)) for row in posts if row[4] is not None]
    orders = [row[0] for row in conn.execute("SELECT status FROM convene.orders WHERE event_id = %s"
                                             " AND channel IN ('online', 'waitlist')", [event])]
    if orders:
        bought = sum(status in ("paid", "partially_refunded", "disputed") for status in orders)
    countries, ages = Counter(), Counter()
    for times, _, country, age in impressions:
        countries[COUNTRIES.get(country)] += times
        ages[age] += times
    known_ages = {age: times for age, times in ages.items() if age is not None and times > 0}

    stay = mean(sum(part for part, _ in dwell), sum(times for _, times in dwell))
    share = mean(sum(Fraction(part) * times for part, times in watched), sum(times for _, times in watched))
    interest = mean(looks, shown)
    response = mean(mentions + sum(row[2] + row[3] for row in videos), sum(row[0] for row in posts) + sum(row[0] for row in videos))
    parts = [
        (Fraction(35, 100), stay and saturating(stay, 30_000) if stay is not None else None),
        (Fraction(30, 100), share / 100 if share is not None else None),
        (Fraction(20, 100), saturating(interest, Fraction(5, 100)) if interest is not None else None),
        (Fraction(15, 100), saturating(response, Fraction(5, 100)) if response is not None else None),
    ]
    known = [(weight, part) for weight, part in parts if part is not None]
    conversion = mean(bought, looks)
    return {
        "attendee_count": conn.execute("SELECT count(*) FROM convene.attendees WHERE event_id = %s AND status <> 'cancelled'",
                                       [event]).fetchone()[0],
        "avg_dwell_time_ms": rounded(min(stay, MOST), 2) if stay is not None else None,
        "geo_distribution": {country: times for country, times in countries.items() if country is not None and times > 0},
        "age_segments": {age: rounded(mean(times, sum(known_ages.values())), 6) for age, times in known_ages.items()},
        "engagement_score": rounded(sum(w * p for w, p in known) / sum(w for w, _ in known), 6) if known else None,
        "ticket_conversion_rate": rounded(min(conversion, 1), 6) if conversion is not None else None,
        "social_mentions": mentions,
        "sentiment_score": rounded(mean(sum(Fraction(part) * times for part, times in texts), sum(times for _, times in texts)), 6),
    }


def figures(conn, event):
    """The figures that are stored, numbers as floats; None without a row."""
    row = conn.execute(f"SELECT {', '.join(FIGURES)} FROM convene.event_audience_insights WHERE event_id = %s", [event]).fetchone()
    return row and {name: float(value) if hasattr(value, "as_tuple") else value for name, value in zip(FIGURES, row)}


def agree(found, wanted):
    """Figures that differ; the last place may, where a number lies in the middle between two."""
    def same(one, other):
        if isinstance(one, dict) and isinstance(other, dict):
            return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
        if isinstance(one, float) and isinstance(other, (int, float)) or isinstance(other, float) and isinstance(one, (int, float)):
            return abs(one - other) <= 1.5e-6 or abs(one - other) <= 0.0101 and max(abs(one), abs(other)) > 1.5
        return one == other
    return {name: (found and found[name], wanted[name]) for name in FIGURES if not (found and same(found[name], wanted[name]))}


def refresh(conn, event=None, since=None):
    return conn.execute("SELECT convene.refresh_event_insights(%s, %s)", [event, since]).fetchone()[0]


def rebuild(conn, event=None):
    return conn.execute("SELECT convene.rebuild_event_insights(%s)", [event]).fetchone()[0]


TOTALS = """
SELECT event_id, impressions, dwell_ms, dwelled, ticket_views, checkouts, purchases, post_views, watch, watched, mentions, sentiment,
       texts, countries, ages FROM convene.event_signal_totals ORDER BY event_id"""


def stored(conn):
    """Everything that a refresh writes: totals to the last digit, and figures."""
    return (conn.execute(TOTALS).fetchall(),
            conn.execute(f"SELECT event_id, {', '.join(FIGURES)} FROM convene.event_audience_insights ORDER BY 1").fetchall())
