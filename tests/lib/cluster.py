"""Throw-away clusters, made by scripts/cluster.sh, and databases in them."""

import os
import subprocess
from contextlib import contextmanager
from datetime import timezone
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.types.datetime import TimestamptzLoader

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "cluster.sh"


class InUtc(TimestamptzLoader):
    """Moments are read in UTC. A session's time zone is the machine's, and of an hour that comes twice there Python says that it is
    equal to no moment of another zone."""

    def load(self, data):
        return super().load(data).astimezone(timezone.utc)


class Cluster:
    """A server of its own; `start` replaces an older one of the same name."""

    def __init__(self, name):
        self.name = name
        self.host = self._script("dir").strip()

    def _script(self, command, *arguments, **options):
        done = subprocess.run(
            [SCRIPT, command, self.name, *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
        )
        if done.returncode != 0:
            raise RuntimeError(f"cluster.sh {command} {self.name}: {done.stderr.strip()}")
        return done.stdout

    def start(self, **settings):
        """Starts with server settings, for example start(work_mem='4MB')."""
        self._script("start", *(f"{key}={value}" for key, value in settings.items()))
        return self

    def stop(self):
        self._script("stop")

    def log(self):
        """The server's log so far."""
        return (Path(self.host) / "log").read_text(errors="replace")

    def connect(self, dbname="postgres", user="postgres", autocommit=True, **options):
        made = psycopg.connect(host=self.host, port=5432, user=user, dbname=dbname, autocommit=autocommit, **options)
        made.adapters.register_loader("timestamptz", InUtc)
        return made

    def create_database(self, name, template="template0"):
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        with self.connect() as connection:
            connection.execute(statement)
        return Database(self, name)


class Database:
    """One database of a cluster."""

    def __init__(self, cluster, name):
        self.cluster = cluster
        self.name = name

    def connect(self, user="postgres", autocommit=True, **options):
        return self.cluster.connect(self.name, user=user, autocommit=autocommit, **options)

    @contextmanager
    def second(self, **options):
        """A connection of its own for the length of a block; what it left open is rolled back."""
        connection = self.connect(**options)
        try:
            yield connection
        finally:
            connection.close()

    def run(self, program, *arguments, check=True, user="postgres", **options):
        """Runs a program of the server's (psql, pg_dump, pgbench, ...) against this database."""
        environment = {**os.environ, "PGHOST": self.cluster.host, "PGPORT": "5432", "PGUSER": user, "PGDATABASE": self.name}
        done = subprocess.run(
            [server_program(program), *map(str, arguments)], env=environment, capture_output=True, text=True, **options
        )
        if check and done.returncode != 0:
            raise RuntimeError(f"{program} failed with {done.returncode}: {done.stderr}")
        return done

    def psql(self, script, *arguments, check=True, user="postgres"):
        """Runs a script through psql, stopping at the first error; returns the finished process."""
        return self.run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *arguments, check=check, user=user, input=script)

    def drop(self):
        with self.cluster.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(self.name)))


def server_program(name):
    """The path of one of the server's programs, from the same installation as the server."""
    return str(Path(pg_config("bindir")) / name)


def pg_config(what):
    """One answer of the pg_config that the scripts choose."""
    lib = ROOT / "scripts" / "lib.sh"
    command = f'. "{lib}"; need_server; "$PG_CONFIG" --{what}'
    return subprocess.run(["bash", "-c", command], check=True, capture_output=True, text=True).stdout.strip()
