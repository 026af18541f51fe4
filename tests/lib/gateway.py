"""A stand-in for an SMS gateway: it fails as told, keeps what arrived, and sends once for one idempotency key."""

import json
import random
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


ODD = {
    "plain": b"OK", "empty": b"", "zero": b'{"id": "a\\u0000b"}', "half": b'{"id": "\\ud800"}', "long": b'{"id": "' + b"x" * 20_000 + b'"}',
    "deep": b"[" * 100_000, "number": b"[NaN]",
}


class Gateway:
    """`plan(request number)` names what happens: ok, 429, 500, 400, hang, lost (sent, but no answer), torn (half an answer), or one of
    ODD (sent, and an answer that is no such JSON as a database keeps). With 429 it asks to wait for `patience` seconds."""

    def __init__(self, plan=lambda number: "ok"):
        self.plan, self.patience, self.lock = plan, 1, threading.Lock()
        self.requests, self.messages = [], {}
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                gateway.answer(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, handler):
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        key = handler.headers["Idempotency-Key"]
        with self.lock:
            self.requests.append(key)
            what = self.plan(len(self.requests))
            if what in ("ok", "lost", "torn", *ODD):
                self.messages.setdefault(key, body)
        if what == "hang":
            time.sleep(1.0)
        if what in ("hang", "lost"):
            handler.close_connection = True
            return
        status = 200 if what in ("ok", "torn", *ODD) else int(what)
        answer = ODD.get(what, json.dumps({"id": f"gw-{key}"}).encode())
        handler.send_response(status)
        if status == 429:
            handler.send_header("Retry-After", str(self.patience))
        handler.send_header("Content-Length", str(len(answer) + (50 if what == "torn" else 0)))
        handler.end_headers()
        handler.wfile.write(answer)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def at_random(seed, *outcomes):
    """A plan that draws from these, the same for the same seed."""
    draw = random.Random(seed)
    return lambda number: draw.choice(outcomes)
