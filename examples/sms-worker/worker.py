#!/usr/bin/env python3
"""Sends what waits in the outbox of convene through an SMS gateway, and passes on what comes back.

    DATABASE_URL=postgresql://worker@localhost/app GATEWAY_URL=http://localhost:8080 worker.py

A reference: short, without tricks, to be adapted to the gateway at hand. What it must keep is this:
- the idempotency key goes along with every attempt, so that a message whose answer was lost is not sent twice;
- the answer decides: 2xx is done, 429 and 5xx and silence are tried again, other 4xx never;
- nothing is sent that could still be on its way when the lease ends, and a report that is refused (55000) is dropped;
- one message that goes wrong does not hold up the next.
"""

import http.client
import json
import logging
import os
import signal
import time
import urllib.error
import urllib.request

import psycopg

LEASE = "2 minutes"
BATCH = 20
TIMEOUT_SECONDS = 10.0
IDLE_SECONDS = 5.0

log = logging.getLogger("sms-worker")


class Answer(Exception):
    """What went wrong with a message, and what is to be done about it."""

    def __init__(self, reason, retry_after=None, permanent=False):
        super().__init__(reason)
        self.retry_after, self.permanent = retry_after, permanent


def send(gateway, key, message, timeout=TIMEOUT_SECONDS):
    """Hands one message to the gateway, and returns what it says of it."""
    request = urllib.request.Request(
        f"{gateway}/messages", method="POST", data=json.dumps({"to": message["to"], "text": message["body"]}).encode(),
        headers={"Content-Type": "application/json", "Idempotency-Key": key})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            body = response.read()
    except urllib.error.HTTPError as error:
        with error:
            after = error.headers.get("Retry-After")
        wait = int(after) if after and after.isdecimal() and len(after) < 10 else None
        raise Answer(f"HTTP {error.code}", wait, permanent=400 <= error.code < 500 and error.code not in (408, 425, 429)) from error
    except (OSError, http.client.HTTPException) as error:
        # No answer, or half of one: it may have been sent. The key makes the next attempt harmless.
        raise Answer(f"no answer: {error!r}") from error
    try:
        return json.loads(body or b"{}")
    except (ValueError, RecursionError):
        # It was taken, whatever was said about it.
        return None


def work_once(conn, gateway, batch=BATCH, lease=LEASE, timeout=TIMEOUT_SECONDS):
    """One round: claims, sends, reports. Each statement commits by itself. Returns how many it had."""
    started = time.monotonic()
    jobs = conn.execute("SELECT id, idempotency_key, payload, lease_token, extract(epoch FROM lease_until - now())::float8"
                        " FROM convene.claim_outbox('sms', %s, %s::interval)", [batch, lease]).fetchall()
    for job, key, message, token, seconds in jobs:
        if time.monotonic() + timeout >= started + seconds:
            # Somebody else may send what is left, after another look at whether it may be sent at all.
            break
        try:
            result = send(gateway, key, message, timeout)
        except Answer as answer:
            log.warning("%s: %s", key, answer)
            report(conn, "SELECT convene.nack_outbox(%s, %s, %s, %s::interval, %s)",
                   [job, str(answer), token, None if answer.retry_after is None else f"{min(answer.retry_after, 86400)} seconds",
                    answer.permanent])
        else:
            sent(conn, job, result, token)
    return len(jobs)


def report(conn, statement, values):
    try:
        conn.execute(statement, values)
    except psycopg.errors.ObjectNotInPrerequisiteState as refused:
        # Somebody else holds the lease by now, and will report.
        log.warning("dropped: %s", refused.diag.message_primary)


def sent(conn, job, result, token):
    """Reports a message that was sent, with what the gateway said of it as far as that can be kept."""
    done = "SELECT convene.ack_outbox(%s, %s::jsonb, %s)"
    try:
        report(conn, done, [job, json.dumps(result), token])
    except (psycopg.DataError, psycopg.errors.ProgramLimitExceeded) as error:
        log.warning("the answer is not kept: %s", error.diag.message_primary)
        report(conn, done, [job, None, token])


def receive(conn, message):
    """What a webhook of the gateway calls for each message that came in; `id` is the gateway's."""
    return conn.execute("SELECT convene.handle_peer_message(p_phone => %s, p_body => %s, p_external_id => %s)",
                        [message["from"], message["text"], message.get("id")]).fetchone()[0]


def main():
    logging.basicConfig(level=logging.INFO)
    stop = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.append(True))
    gateway = os.environ["GATEWAY_URL"].rstrip("/")
    while not stop:
        try:
            with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as conn:
                conn.execute("LISTEN convene_outbox")
                while not stop:
                    if not work_once(conn, gateway):
                        next(conn.notifies(timeout=IDLE_SECONDS, stop_after=1), None)
        except psycopg.OperationalError as error:
            log.warning("the database is away: %s", error)
            time.sleep(IDLE_SECONDS)


if __name__ == "__main__":
    main()
