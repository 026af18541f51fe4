"""What the server counted."""

import time


def wait_until_alone(conn):
    """Until every session before has ended, for what a session did is counted when it goes, a while after its client has gone."""
    for _ in range(3000):
        if not conn.execute("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
                            " AND pid <> pg_backend_pid()").fetchone():
            return
        time.sleep(0.02)
    raise AssertionError("somebody else is still there")


def tuples_read(conn, table):
    """Entries of a table that were read so far: by each index, and in sequence."""
    conn.execute("SELECT pg_stat_force_next_flush()")
    read = dict(conn.execute("SELECT indexrelname, idx_tup_read FROM pg_stat_all_indexes WHERE relid = %s::regclass", [table]).fetchall())
    read["in sequence"] = conn.execute("SELECT seq_tup_read FROM pg_stat_all_tables WHERE relid = %s::regclass", [table]).fetchone()[0]
    return read
