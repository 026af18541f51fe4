#!/usr/bin/env python3
"""Takes leads out of convene's queue into the CRMs of their sponsors. See README.md."""

import argparse
import json
import logging
import os
import signal
import time
from datetime import timedelta

import psycopg
from psycopg.rows import namedtuple_row

from adapters import ADAPTERS
from api import Later, OutOfTime, Refused, Unsure

log = logging.getLogger("crm-worker")
# Reports may come late, but not for ever: after that the lease decides.
REPORT_TRIES = 5
# The longest id that the database takes.
ID_CHARS = 255


def kept(text):
    """A text as the database can keep it, whatever a CRM has written: no zero characters, no halves of a surrogate pair."""
    return str(text).replace("\0", "").encode("utf-8", "replace").decode("utf-8")


class Accounts:
    """The adapters of the configuration, by sponsor and CRM; "*" stands for every sponsor that is not named."""

    def __init__(self, path, timeout):
        with open(path, encoding="utf-8") as file:
            self.config = json.load(file)
        self.timeout = timeout
        self.made = {}

    def adapter(self, sponsor, crm):
        for name in (str(sponsor), "*"):
            account = self.config.get(name, {}).get(crm)
            if account:
                if (name, crm) not in self.made:
                    options = {key: value for key, value in account.items() if key not in ("url", "token_env")}
                    token = os.environ[account["token_env"]]
                    self.made[name, crm] = ADAPTERS[crm](account["url"], token, self.timeout, **options)
                return self.made[name, crm]
        return None


class Worker:
    """Claims, delivers and reports, one lead after the other. Run several for more."""

    def __init__(self, options):
        self.options = options
        self.accounts = Accounts(options.config, options.timeout)
        self.paused = {}  # adapter: until when its CRM wants to be left alone
        self.connection = None
        self.stopping = False

    # The database ----------------------------------------------------------------------------------------------

    def database(self):
        if self.connection is None or self.connection.closed:
            self.connection = psycopg.connect(self.options.dsn, autocommit=True, row_factory=namedtuple_row,
                                              application_name="convene crm-worker", connect_timeout=10)
            self.connection.execute("LISTEN convene_crm_sync_queue")
        return self.connection

    def claim(self):
        """Jobs, and the moment when their leases run out by our clock: counted from before we asked."""
        deadline = time.monotonic() + self.options.lease
        jobs = self.database().execute(
            "SELECT * FROM convene.claim_crm_sync(%s, %s, %s)",
            [self.options.limit, timedelta(seconds=self.options.lease), self.options.crm]).fetchall()
        return jobs, deadline

    def report(self, job, statement, parameters):
        """Tells what became of a job; telling it twice does no harm. Who has lost the lease is told so, and lets go."""
        for tries in range(1, REPORT_TRIES + 1):
            try:
                self.database().execute(statement, parameters)
                return
            except psycopg.errors.ObjectNotInPrerequisiteState as refused:
                log.warning("job %s is not ours any more: %s", job.job_id, refused.diag.message_primary)
                return
            except psycopg.OperationalError as error:
                log.warning("report on job %s, try %s: %s", job.job_id, tries, error)
                self.connection = None
                time.sleep(min(tries, 5))

    def complete(self, job, crm_lead_id):
        log.info("%s %s lead %s as %s", job.crm_type, job.operation, job.lead_id, crm_lead_id)
        self.report(job, "SELECT convene.complete_crm_sync(%s, %s, %s)", [job.job_id, crm_lead_id, job.lease_token])

    def fail(self, job, error, retry_after=None):
        log.warning("%s lead %s: %s", job.crm_type, job.lead_id, error)
        wait = None if retry_after is None else timedelta(seconds=retry_after)
        self.report(job, "SELECT convene.fail_crm_sync(%s, %s, %s, %s)", [job.job_id, kept(error), job.lease_token, wait])

    # The work --------------------------------------------------------------------------------------------------

    def work(self, job, deadline):
        adapter = self.accounts.adapter(job.sponsor_id, job.crm_type)
        if adapter is None:
            self.fail(job, f"no account of {job.crm_type} is configured for sponsor {job.sponsor_id}")
            return
        pause = self.paused.get(adapter, 0) - time.monotonic()
        if self.stopping or pause > 0:
            self.fail(job, "the worker stops" if self.stopping else "the CRM asked to wait", max(pause, 0))
            return
        adapter.api.deadline = deadline
        try:
            crm_lead_id = str(adapter.deliver(job))
            if kept(crm_lead_id) != crm_lead_id or not crm_lead_id.strip() or len(crm_lead_id) > ID_CHARS:
                self.fail(job, f"the answer of {job.crm_type} has no id: {crm_lead_id[:ID_CHARS]!r}")
                return
            self.complete(job, crm_lead_id)
        except Later as later:
            self.paused[adapter] = time.monotonic() + later.seconds
            self.fail(job, later, later.seconds)
        except OutOfTime:
            self.fail(job, "the lease was too short", 0)
        except (Refused, Unsure) as error:
            self.fail(job, error)
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            self.fail(job, f"the answer of {job.crm_type} was not understood: {error!r}")

    def idle(self):
        """Until something is queued, or for a while: jobs come back by the clock, too."""
        for _ in self.database().notifies(timeout=self.options.idle, stop_after=1):
            pass

    def is_empty(self):
        return self.database().execute(
            "SELECT 1 FROM convene.crm_sync_queue WHERE status IN ('pending', 'leased')"
            " AND (%s::text IS NULL OR crm_type = %s) LIMIT 1", [self.options.crm] * 2).fetchone() is None

    def run(self):
        wait = 1
        while not self.stopping:
            try:
                jobs, deadline = self.claim()
                for job in jobs:
                    self.work(job, deadline)
                if not jobs:
                    if self.options.until_empty and self.is_empty():
                        return
                    self.idle()
                wait = 1
            except psycopg.OperationalError as error:
                log.warning("the database: %s", error)
                self.connection = None
                time.sleep(wait)
                wait = min(wait * 2, 30)

    def stop(self, *_):
        """Finishes the lead in hand, gives the others back."""
        self.stopping = True


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dsn", default="", help="connection string of a role with BYPASSRLS; by default the PG* variables")
    parser.add_argument("--config", default="config.json", help="accounts by sponsor and CRM")
    parser.add_argument("--crm", choices=sorted(ADAPTERS), help="take leads of this CRM only")
    parser.add_argument("--limit", type=int, default=10, help="leads that are claimed at a time")
    parser.add_argument("--lease", type=float, default=300, help="seconds for these leads")
    parser.add_argument("--timeout", type=float, default=10, help="seconds for one request")
    parser.add_argument("--idle", type=float, default=10, help="seconds between two looks into an empty queue")
    parser.add_argument("--until-empty", action="store_true", help="end when nothing waits and nothing is in hand")
    options = parser.parse_args()
    if options.lease <= 2 * options.timeout:
        parser.error("a lease has to be longer than two requests may take")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    worker = Worker(options)
    signal.signal(signal.SIGTERM, worker.stop)
    signal.signal(signal.SIGINT, worker.stop)
    worker.run()


if __name__ == "__main__":
    main()
