"""JSON over HTTP, and what can come of a request: an answer, a refusal, a wait that was asked for, or not knowing."""

import email.utils
import http.client
import json
import time
from urllib.parse import urlencode, urlsplit

LONGEST_WAIT = 24 * 3600


class Refused(Exception):
    """The CRM looked at the request and does not take it."""

    def __init__(self, status, text):
        super().__init__(f"{status}: {text}")
        self.status = status
        self.text = text


class Unsure(Exception):
    """The request may or may not have been carried out: no answer, or an answer that tells nothing."""


class Later(Exception):
    """The CRM did nothing and asks to be left alone for so many seconds."""

    def __init__(self, seconds, text):
        super().__init__(text)
        self.seconds = seconds


class OutOfTime(Exception):
    """The lease would run out before an answer could come, and then the lead is another worker's."""


class Api:
    """One account of a CRM. `deadline` is the moment, on the monotonic clock, when the lease of the job in hand runs out."""

    def __init__(self, url, headers, timeout):
        self.url = urlsplit(url)
        self.headers = {"Accept": "application/json", **headers}
        self.timeout = timeout
        self.deadline = None

    def call(self, method, path, query=None, body=None, missing=(404,)):
        """The status and the JSON of the answer; None instead of JSON where `missing` says that the thing is not there."""
        # A request that is sent must be over before somebody else may send the same.
        if self.deadline is not None and time.monotonic() + self.timeout >= self.deadline:
            raise OutOfTime
        if query:
            path = f"{path}?{urlencode(query)}"
        status, headers, text = self._send(method, self.url.path.rstrip("/") + path, body)
        if status in missing:
            return status, None
        if status == 429 or (status == 503 and headers.get("Retry-After")):
            raise Later(retry_after(headers.get("Retry-After")), f"{status} from {self.url.netloc}")
        if status >= 500:
            raise Unsure(f"{status} from {self.url.netloc}: {text[:200]}")
        if status >= 400 or status in (207, 300):
            raise Refused(status, text[:500])
        try:
            return status, json.loads(text) if text else {}
        except (ValueError, RecursionError):
            raise Unsure(f"{status} from {self.url.netloc} with a body that is no JSON") from None

    def _send(self, method, path, body):
        make = http.client.HTTPSConnection if self.url.scheme == "https" else http.client.HTTPConnection
        connection = make(self.url.netloc, timeout=self.timeout)
        try:
            headers = dict(self.headers)
            if body is not None:
                body = json.dumps(body).encode()
                headers["Content-Type"] = "application/json"
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise Unsure(f"no answer from {self.url.netloc}: {type(error).__name__} {error}") from error
        finally:
            connection.close()


def retry_after(value):
    """The seconds that a Retry-After header means: a number, or a date; without one, half a minute."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (TypeError, ValueError):
            seconds = 30
    # A number that is none (NaN) compares with nothing.
    return min(max(seconds, 0), LONGEST_WAIT) if seconds == seconds else 30
