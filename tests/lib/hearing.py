"""What a session hears that listens."""

import uuid


def heard(listener, conn, channel):
    """Payloads of what was sent on the channel before: `conn` sends a mark after it, and it is listened for until that one comes."""
    mark, payloads = str(uuid.uuid4()), []
    conn.execute("SELECT pg_catalog.pg_notify(%s, %s)", [channel, mark])
    for note in listener.notifies(timeout=60):
        if note.payload == mark:
            return payloads
        payloads.append(note.payload)
    raise AssertionError(f"of {channel} only {payloads} was heard")
