"""What row security costs: the same reads as the person they belong to and as the service, in one run on the same tables.

    security.py [divisor]      1 by default: 100,000 attendees and 1,000,000 interactions; 50 is a fiftieth of that

Twice: of nine events, and of those and 10,000 small ones, since what the server expects of a policy hangs on how many there
are. Both sides send the same statement where it says itself whose rows it wants; where it leaves that to the policies, which is
called unnamed, the service's says in words what they add. Both answer the same rows, which is checked. Ends with 1 when a read
costs more than LIMIT times the service's, or goes through more than LARGE rows that it does not answer where the service's
does not."""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from lib.cluster import Cluster  # noqa: E402
from lib.factory import ident  # noqa: E402

LIMIT = 2.0
SLACK_MS = 0.5  # a fraction of what a request costs around its statement; a ratio of less says nothing
LARGE = 10_000
SECONDS = 0.8  # for both sides of a read
MOST, FEWEST = 300, 5


@dataclass
class Sizes:
    """Rows of the whole database, at a divisor of 1."""

    divisor: int = 1
    attendees: int = 100_000
    interactions: int = 1_000_000
    small_events: int = 10_000
    signals: int = 100_000
    contacts: int = 100_000
    leads: int = 100_000

    def __post_init__(self):
        for name in ("attendees", "interactions", "small_events", "signals", "contacts", "leads"):
            setattr(self, name, getattr(self, name) // self.divisor)

    @property
    def large(self):
        return LARGE // self.divisor


# One event has a fifth of the people; eight share the rest with 10,000 events that one person attends, and nobody else.
FILL = """
SET session_replication_role = replica;
SELECT setseed(0.42);

INSERT INTO convene.profiles (id) SELECT p FROM unnest(%(people)s::uuid[]) p;
INSERT INTO convene.organizations (id, name, slug) VALUES (%(alpha)s, 'Alpha', 'alpha'), (%(beta)s, 'Beta', 'beta');
INSERT INTO convene.roles (id, organization_id, name, permissions) VALUES
    (%(role)s, %(alpha)s, 'staff', '{"contacts": {"read": true}}'), (%(clerk_role)s, %(alpha)s, 'clerk', '{"contacts": {"read": "own"}}');
INSERT INTO convene.organization_members (organization_id, profile_id, member_role, role_id) VALUES
    (%(alpha)s, %(organizer)s, 'organizer', NULL), (%(beta)s, %(organizer_of_many)s, 'organizer', NULL),
    (%(alpha)s, %(staff)s, 'staff', %(role)s), (%(alpha)s, %(clerk)s, 'staff', %(clerk_role)s);
INSERT INTO convene.users (id, organization_id, profile_id, first_name, last_name, email) VALUES
    (%(clerk_user)s, %(alpha)s, %(clerk)s, 'Clerk', 'x', 'clerk@example');

CREATE TEMP TABLE plan AS
SELECT n, md5('event' || n)::uuid AS id, CASE WHEN n <= 4 THEN %(alpha)s ELSE %(beta)s END::uuid AS organization,
       CASE WHEN n = 0 THEN %(attendees)s / 5 WHEN n <= 8 THEN (%(attendees)s * 4 / 5 - %(small)s) / 8 ELSE 0 END AS people,
       CASE WHEN n = 0 THEN 500 WHEN n <= 8 THEN 200 ELSE 1 END AS sessions
FROM generate_series(0, 8 + %(small)s) n;
INSERT INTO convene.events (id, organization_id, title, status, start_at, end_at)
SELECT id, organization, 'Event ' || n, 'published', now() + n * interval '1 minute', now() + interval '60 days' FROM plan;
INSERT INTO convene.sessions (id, event_id, event_public, title, topics, room, start_time, end_time)
SELECT md5('session' || n || '-' || i)::uuid, id, true, 'Session ' || i, ARRAY['topic ' || i %% 40], 'Room ' || i %% 8,
       now() + interval '30 days' + i / 8 * interval '30 minutes', now() + interval '30 days' + (i / 8 + 1) * interval '30 minutes'
FROM plan, generate_series(0, sessions - 1) i;
INSERT INTO convene.session_embeddings (session_id, event_id, event_public, embedding, source_text, embedding_model)
SELECT s.id, s.event_id, true, ARRAY(SELECT (random() - 0.5)::real FROM generate_series(1, 256 + 0 * length(s.title))), s.title, 'convene-hash-v1'
FROM convene.sessions s JOIN plan p ON p.id = s.event_id WHERE p.n <= 8;

INSERT INTO convene.profiles (id) SELECT md5('profile' || n || '-' || i)::uuid FROM plan, generate_series(1, people) i;
INSERT INTO convene.attendees (id, event_id, organization_id, profile_id, full_name)
SELECT md5('attendee' || n || '-' || i)::uuid, id, organization, md5('profile' || n || '-' || i)::uuid, 'Person ' || i
FROM plan, generate_series(1, people) i
-- The rows of one person do not lie together.
ORDER BY md5('attendee' || n || '-' || i);
UPDATE convene.attendees SET profile_id = %(one)s WHERE id = md5('attendee0-1')::uuid;
INSERT INTO convene.attendees (id, event_id, organization_id, profile_id, full_name)
SELECT md5('hundred' || n)::uuid, id, organization, %(hundred)s, 'Person' FROM plan WHERE n > 8 AND n <= 108
UNION ALL SELECT md5('many' || n)::uuid, id, organization, %(many)s, 'Person' FROM plan WHERE n > 8;

INSERT INTO convene.session_interactions (attendee_id, event_id, organization_id, session_id, kind)
SELECT a.id, p.id, p.organization, md5('session' || p.n || '-' || (h.start + i * 7) %% p.sessions)::uuid, 'bookmarked'
FROM plan p JOIN convene.attendees a ON a.event_id = p.id, LATERAL (SELECT hashtext(a.id::text) & 65535) h(start),
     generate_series(1, least(p.sessions, greatest(1, (%(interactions)s / (%(attendees)s - %(small)s))::integer))) i
ORDER BY md5(a.id::text || i);

INSERT INTO convene.recommendation_history
    (attendee_id, event_id, recommended_item_type, recommended_item_id, recommendation_algorithm, clicked, clicked_at)
SELECT i.attendee_id, i.event_id, 'session', i.session_id, 'hybrid', h.hash %% 3 = 0, CASE WHEN h.hash %% 3 = 0 THEN now() END
FROM convene.session_interactions i, LATERAL (SELECT hashtext(i.attendee_id::text || i.session_id)) h(hash) WHERE h.hash %% 10 = 0;

INSERT INTO convene.event_impressions (event_id, organization_id, created_at, country)
SELECT p.id, p.organization, date_trunc('month', now()) + i * interval '1 second', 'Belgium'
FROM generate_series(1, %(signals)s) i JOIN plan p ON p.n = i %% 9;
INSERT INTO convene.ticket_analytics (event_id, organization_id, created_at, ticket_views)
SELECT p.id, p.organization, date_trunc('month', now()) + i * interval '1 second', 1 FROM generate_series(1, %(signals)s) i JOIN plan p ON p.n = i %% 9;

INSERT INTO convene.contacts (id, organization_id, first_name, last_name, email, created_by)
SELECT md5('contact' || i)::uuid, CASE WHEN i %% 2 = 0 THEN %(alpha)s ELSE %(beta)s END::uuid, 'Given ' || i, 'Name ' || md5(i::text),
       i || '@example', CASE WHEN i %% 100 = 0 THEN %(clerk_user)s::uuid END
FROM generate_series(1, %(contacts)s) i;

-- Ten sponsors an event; everybody but the one with many events is somebody's lead.
INSERT INTO convene.sponsors (id, organization_id, event_id, company_name, profile_id)
SELECT md5('sponsor' || n || '-' || i)::uuid, organization, id, 'Sponsor ' || i, CASE WHEN n = 0 AND i = 0 THEN %(sponsor)s::uuid END
FROM plan, generate_series(0, 9) i WHERE n <= 8;
INSERT INTO convene.lead_scoring (id, event_id, organization_id, sponsor_id, attendee_id, lead_score, consented)
SELECT md5('lead' || a.id)::uuid, p.id, p.organization, md5('sponsor' || p.n || '-' || h.hash %% 10)::uuid, a.id, h.hash %% 101, h.hash %% 7 <> 0
FROM plan p JOIN convene.attendees a ON a.event_id = p.id, LATERAL (SELECT hashtext(a.id::text) & 65535) h(hash)
WHERE p.n <= 8 LIMIT %(leads)s;

DROP TABLE plan;
RESET session_replication_role;
"""


@dataclass
class World:
    """The filled database and who reads it: the token's subject, by name."""

    db: object
    sizes: Sizes
    people: dict


PEOPLE = ["one", "hundred", "many", "organizer", "organizer_of_many", "outsider", "staff", "clerk", "sponsor"]


SEEN_BY_ALL = """
SELECT bool_and(relallvisible >= relpages) FROM pg_class WHERE relnamespace = 'convene'::regnamespace AND relkind = 'r'"""


def fill(db, sizes):
    """Fills a database in which convene is installed."""
    people = {name: ident("reader", name) for name in PEOPLE}
    values = {
        **people, "people": list(people.values()), "alpha": ident("alpha"), "beta": ident("beta"), "role": ident("role"),
        "clerk_role": ident("clerk role"), "clerk_user": ident("clerk user"), "attendees": sizes.attendees,
        "interactions": sizes.interactions, "small": sizes.small_events, "signals": sizes.signals,
        "contacts": sizes.contacts, "leads": sizes.leads,
    }
    with db.connect() as conn:
        for statement in filter(str.strip, FILL.split(";\n")):
            conn.execute(statement, _named(statement, values))
        # Twice: rows that nobody has read yet are marked as committed first, where that is on disk, and the next time as seen
        # by everybody.
        conn.execute("CHECKPOINT")
        conn.execute("VACUUM")
        conn.execute("VACUUM ANALYZE")
        # And again as long as somebody else's snapshot, of autovacuum for one, keeps a page from being seen by everybody.
        for _ in range(20):
            if conn.execute(SEEN_BY_ALL).fetchone()[0]:
                break
            time.sleep(0.5)
            conn.execute("VACUUM")
    return World(db, sizes, people)


def _named(statement, values):
    return {key: value for key, value in values.items() if f"%({key})s" in statement}


@dataclass
class Read:
    """One read: the person's statement, and the service's where it has to say more."""

    name: str
    person: str
    statement: str
    service: str | None = None
    plain: bool = True


BIG = "md5('event0')::uuid"
OTHER = "md5('event5')::uuid"
# What the policies find out for the person, as a client of the service would write it.
MINE = "SELECT id FROM convene.attendees WHERE profile_id = %(me)s"
OURS = "organization_id = %(organization)s"


def page(table, columns, where, order, limit=50):
    return f"SELECT {columns} FROM convene.{table} {'WHERE ' + where if where else ''} ORDER BY {order} LIMIT {limit}"


def own(add):
    """Reads of a person's own rows, with few ids and with many."""
    for person, number in (("one", "1"), ("hundred", "100"), ("many", "10,000")):
        rows = "SELECT id, event_id, full_name, status FROM convene.attendees {} ORDER BY id"
        named = rows.format("WHERE profile_id = %(me)s")
        add(f"own attendee rows, {number}", person, named)
        add(f"own attendee rows, {number}, unnamed", person, rows.format(""), named)
        rows = "SELECT attendee_id, session_id, kind, at FROM convene.session_interactions {} ORDER BY attendee_id, session_id"
        named = rows.format(f"WHERE attendee_id IN ({MINE})")
        add(f"own interactions, attends {number}", person, named)
        add(f"own interactions, attends {number}, unnamed", person, rows.format(""), named)


def public(add):
    """Reads that everybody may do, by persons with few and many ids."""
    for person, number in (("outsider", "attends none"), ("one", "attends 1"), ("hundred", "attends 100"), ("many", "attends 10,000"),
                           ("organizer", "organizer")):
        add(f"sessions of an event, {number}", person,
            f"SELECT id, title, start_time FROM convene.sessions WHERE event_id = {BIG} ORDER BY start_time, id")
        add(f"events, first page, {number}", person,
            page("events", "id, title, start_at", "status = 'published' AND start_at > now()", "start_at, id", 20))


def organizing(add):
    """Reads over an event, and over all events of an organization."""
    for person, event, of in (("organizer", BIG, "few"), ("organizer_of_many", OTHER, "many")):
        for table, order, mine in (("attendees", "profile_id", "profile_id = %(me)s"),
                                   ("session_interactions", "session_id, attendee_id", f"attendee_id IN ({MINE})")):
            what = f"{table}, organizer of {of}"
            add(f"an event's {what}: count", person, f"SELECT count(*) FROM convene.{table} WHERE event_id = {event}")
            add(f"an event's {what}: page", person, page(table, "*", f"event_id = {event}", order))
            named = f"SELECT count(*) FROM convene.{table} WHERE event_id IN (SELECT id FROM convene.events WHERE {OURS})"
            add(f"all {what}: count", person, named)
            add(f"all {what}: count, unnamed", person, f"SELECT count(*) FROM convene.{table}",
                f"SELECT count(*) FROM convene.{table} WHERE {OURS} OR {mine}")
        for view in ("event_impressions_p", "ticket_analytics_p"):
            month = (f"event_id = {event} AND created_at >= date_trunc('month', now())"
                     " AND created_at < date_trunc('month', now()) + interval '1 month'")
            what = f"{view}, an event's month, organizer of {of}"
            add(f"{what}: count", person, f"SELECT count(*) FROM convene.{view} WHERE {month}")
            add(f"{what}: page", person, page(view, "*", month, "created_at DESC"))


def crm(add):
    """Reads of staff that sees all contacts, of a clerk who sees their own, and of a sponsor."""
    by_name, columns = "last_name, first_name, id", "id, last_name, email"
    named = page("contacts", columns, OURS, by_name)
    add("contacts of an organization, staff: page", "staff", named)
    add("contacts of an organization, staff: page, unnamed", "staff", page("contacts", columns, "", by_name), named)
    named = f"SELECT count(*) FROM convene.contacts WHERE {OURS}"
    add("contacts of an organization, staff: count", "staff", named)
    add("contacts of an organization, staff: count, unnamed", "staff", "SELECT count(*) FROM convene.contacts", named)
    # Named only: an order over all contacts that are not said to be somebody's goes through those of the colleagues.
    add("own contacts, clerk: page", "clerk", page("contacts", columns, "created_by = %(user)s", by_name))
    leads = "consented AND sponsor_id IN (SELECT id FROM convene.sponsors WHERE profile_id = %(me)s)"
    # Named only, for the same reason: the index that is in order begins with the sponsor.
    add("leads, sponsor: page", "sponsor", page("lead_scoring", "id, lead_score", leads, "lead_score DESC, id"))
    add("leads, sponsor: count", "sponsor", f"SELECT count(*) FROM convene.lead_scoring WHERE {leads}")


def functions(add):
    """Functions, which check the caller by themselves and then read as the owner."""
    me, session = f"md5('attendee0-1')::uuid, {BIG}", "md5('session0-7')::uuid"
    for name, person, arguments in (
        ("get_session_recommendations", "one", me), ("get_personal_agenda", "one", me),
        ("find_similar_sessions", "one", session), ("find_similar_sessions", "many", session),
        ("recommendation_metrics", "organizer", BIG), ("recommendation_metrics", "organizer_of_many", OTHER),
    ):
        add(f"{name}(), {person.replace('_', ' ')}", person, f"SELECT * FROM convene.{name}({arguments})", plain=False)


def reads():
    """Every read, in the order in which it is shown."""
    listed = []
    for part in (own, public, organizing, crm, functions):
        part(lambda *arguments, **options: listed.append(Read(*arguments, **options)))
    return listed


def reader(world, role, sub=None):
    """A connection that is a person, or the service."""
    conn = world.db.connect()
    conn.execute(f"SET ROLE {role}")
    token = {"role": role} if sub is None else {"role": role, "sub": str(sub)}
    conn.execute("SELECT pg_catalog.set_config('request.jwt.claims', %s, false)", [json.dumps(token)])
    return conn


class Bench:
    """A connection for the service and for every person. Without `seqscan`, plans avoid sequential scans where they can."""

    def __init__(self, world, seqscan=True):
        self.world = world
        self.service = reader(world, "service_role")
        self.persons = {name: reader(world, "authenticated", sub) for name, sub in world.people.items()}
        for conn in (self.service, *self.persons.values()):
            conn.execute("SELECT pg_catalog.set_config('enable_seqscan', %s, false)", [str(seqscan)])
            # Where one side takes workers and the other does not, the clock tells how busy the machine is.
            conn.execute("SET max_parallel_workers_per_gather = 0")
        self.large = {row[0] for row in self.service.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'convene'::regnamespace AND relkind = 'r' AND reltuples > %s",
            [world.sizes.large])}

    def close(self):
        for conn in (self.service, *self.persons.values()):
            conn.close()

    def sides(self, read):
        """(connection, statement, values) of service and person."""
        for conn, statement in ((self.service, read.service or read.statement), (self.persons[read.person], read.statement)):
            values = {"me": self.world.people[read.person], "user": ident("clerk user")}
            # As the events are: in the statement, so that both sides are planned for the organization that it is about.
            organization = ident("beta" if read.person == "organizer_of_many" else "alpha")
            statement = statement.replace("%(organization)s", f"'{organization}'")
            yield conn, statement, _named(statement, values)

    def same(self, read):
        """Rows that both sides answer."""
        service, person = ([tuple(map(str, row)) for row in conn.execute(statement, values)]
                           for conn, statement, values in self.sides(read))
        assert service == person, f"{read.name}: {len(service)} rows for the service, {len(person)} for the person"
        assert service, f"{read.name}: nothing was read"
        return len(service)

    def times(self, read):
        """Milliseconds of service and person, in turns: the quickest, since a busy machine only adds."""
        sides, took = list(self.sides(read)), ([], [])
        for _ in range(2):
            for conn, statement, values in sides:
                conn.execute(statement, values, prepare=True).fetchall()
        until = time.monotonic() + SECONDS
        while len(took[0]) < FEWEST or (time.monotonic() < until and len(took[0]) < MOST):
            for side, (conn, statement, values) in zip(took, sides):
                started = time.perf_counter()
                conn.execute(statement, values, prepare=True).fetchall()
                side.append((time.perf_counter() - started) * 1000)
        return tuple(map(min, took))

    def scans(self, read):
        """Large tables that the person's statement goes through and the service's does not."""
        service, person = (set(self._gone_through(*side)) for side in self.sides(read))
        return sorted(person - service)

    def _gone_through(self, conn, statement, values):
        plan = conn.execute(f"EXPLAIN (ANALYZE, TIMING off, FORMAT json) {statement}", values).fetchone()[0][0]["Plan"]
        # A page ends early, and is as long at every divisor.
        many = LARGE if "LIMIT" in statement else self.world.sizes.large
        stack = [plan]
        while stack:
            node = stack.pop()
            stack += node.get("Plans", [])
            thrown = node["Actual Loops"] * max(node.get("Rows Removed by Filter", 0), node.get("Rows Removed by Index Recheck", 0))
            if node.get("Relation Name") in self.large and (thrown > many or node["Node Type"] == "Seq Scan"):
                yield node["Relation Name"]

    def plan(self, read):
        """How the server would answer the person."""
        conn, statement, values = list(self.sides(read))[1]
        return "\n".join(row[0] for row in conn.execute(f"EXPLAIN (ANALYZE, BUFFERS) {statement}", values))


def readers(sizes):
    """The reads for which there are rows: whoever has many ids has to do with small events."""
    return [read for read in reads() if sizes.small_events or read.person not in ("hundred", "many", "organizer_of_many")]


def run(cluster, name, sizes):
    """Fills a database and compares; returns the reads that cost too much, with their plans."""
    started = time.monotonic()
    db = cluster.create_database(name)
    with db.connect() as conn:
        conn.execute("CREATE EXTENSION convene CASCADE")
        conn.execute("SELECT convene.install()")
        conn.execute("SELECT convene.create_api_roles()")
    bench, failed = Bench(fill(db, sizes)), []
    print(f"# {sizes.attendees:,} attendees, {sizes.interactions:,} interactions, {sizes.small_events + 9:,} events,"
          f" loaded in {time.monotonic() - started:.0f} s")
    print(f"{'one read, the quickest of up to 300':<66}{'rows':>8}{'service':>14}{'person':>14}{'ratio':>9}")
    for read in readers(sizes):
        rows = bench.same(read)
        service, person = bench.times(read)
        note = "   too slow" if person > LIMIT * service and person - service > SLACK_MS else ""
        note += "".join(f"   goes through {table}" for table in (bench.scans(read) if read.plain else []))
        print(f"{read.name:<66}{rows:>8,}{service:>11.3f} ms{person:>11.3f} ms{person / service:>8.1f}x{note}", flush=True)
        if note:
            failed.append((read, bench.plan(read)))
    bench.close()
    return failed


def main():
    divisor = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    cluster = Cluster("bench-security").start(shared_buffers="1GB", max_wal_size="8GB", autovacuum="off")
    try:
        failed = run(cluster, "few", Sizes(divisor, small_events=0)) + run(cluster, "many", Sizes(divisor))
    finally:
        cluster.stop()
    for read, plan in failed:
        print(f"\n# {read.name}\n{read.statement}\n{plan}")
    print(f"\n{len(failed)} reads cost more than {LIMIT:g} times the service's and {SLACK_MS:g} ms, or go through a large table")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
