"""Acting as somebody, and looking at refusals."""

import json
import re
from contextlib import contextmanager
from typing import NamedTuple

import psycopg
import pytest
from psycopg import sql

# What everybody may execute: values from values, or of the request. All but the first two run no query, so that there is no name
# which a search_path could turn, and need not pin it.
QUERIES_OF_VALUES = {"email", "surface"}
NO_QUERY = {
    "budget_fit", "claim", "embed_text", "engagement_quality", "jaccard", "lead_engagement_score", "lead_intent_score", "lead_score",
    "library_version", "overlap_share", "region_code", "score_sentiment", "sponsor_fit_metrics", "sponsor_fit_score", "uid",
}
PUBLIC_VALUES = NO_QUERY | QUERIES_OF_VALUES


@contextmanager
def as_role(connection, role, sub=None, **claims):
    """Acts as `role` with the token of `sub`; further claims as keywords. Undone afterwards, also after an error."""
    token = {"role": role, **claims}
    if sub is not None:
        token["sub"] = str(sub)
    connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
    connection.execute("SELECT pg_catalog.set_config('request.jwt.claims', %s, false)", [json.dumps(token)])
    try:
        yield connection
    finally:
        if connection.info.transaction_status == psycopg.pq.TransactionStatus.INERROR:
            connection.rollback()
        connection.execute("RESET ROLE")
        connection.execute("SELECT pg_catalog.set_config('request.jwt.claims', '', false)")


class Refusal(NamedTuple):
    """What a failed statement told its caller."""

    sqlstate: str
    message: str
    hint: str | None
    detail: str | None


def sqlstate(connection, statement, params=None):
    """Runs a statement that must fail, inside a savepoint, and returns its Refusal."""
    try:
        with connection.transaction():
            rows = connection.execute(statement, params)
            got = rows.fetchall() if rows.description else rows.statusmessage
    except psycopg.Error as error:
        told = error.diag
        if told.sqlstate is None:
            raise
        return Refusal(told.sqlstate, told.message_primary, told.message_hint, told.message_detail)
    pytest.fail(f"this was expected to fail: {statement}\nparameters {params}, result {got!r}", pytrace=False)


def expect_error(connection, code, statement, params=None, *, message=None, hint=None, detail=None):
    """Runs a statement that must fail with SQLSTATE `code`; texts are regular expressions that must be found."""
    got = sqlstate(connection, statement, params)
    assert got.sqlstate == code, f"{code} expected, but {got} from {statement} with {params}"
    for name, pattern in (("message", message), ("hint", hint), ("detail", detail)):
        if pattern is not None:
            text = getattr(got, name) or ""
            assert re.search(pattern, text), f"{name} of {got.sqlstate} is {text!r}, which has no {pattern!r}"
    return got


def expect_kept(connection, statement, params=None):
    """Runs a statement that a foreign key must refuse; from PostgreSQL 18 on RESTRICT has a SQLSTATE of its own."""
    got = sqlstate(connection, statement, params)
    codes = {"23503", "23001"} if connection.info.server_version >= 180000 else {"23503"}
    assert got.sqlstate in codes, f"{codes} expected, but {got} from {statement} with {params}"
