"""What the server counted."""


def tuples_read(conn, table):
    """Entries of a table that were read so far: by each index, and in sequence."""
    conn.execute("SELECT pg_stat_force_next_flush()")
    read = dict(conn.execute("SELECT indexrelname, idx_tup_read FROM pg_stat_all_indexes WHERE relid = %s::regclass", [table]).fetchall())
    read["in sequence"] = conn.execute("SELECT seq_tup_read FROM pg_stat_all_tables WHERE relid = %s::regclass", [table]).fetchone()[0]
    return read
