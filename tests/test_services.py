"""The servers that `.ci/run` starts are there; conformance suites of their back ends build on them."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest


def _url(variable: str) -> str:
    url = os.environ.get(variable)
    if not url:
        pytest.skip(f"{variable} names no server")
    return url


def test_postgresql_answers_and_keeps_json_and_bytes() -> None:
    import psycopg

    with psycopg.connect(_url("DRYSTONE_TEST_POSTGRES")) as connection:
        connection.execute("CREATE TEMPORARY TABLE fact (body bytea)")
        connection.execute("INSERT INTO fact VALUES (%s)", (b"\x00\xff",))
        row = connection.execute("SELECT body FROM fact").fetchone()
    assert row == (b"\x00\xff",)


def test_redis_answers_and_runs_scripts() -> None:
    import redis

    with redis.Redis.from_url(_url("DRYSTONE_TEST_REDIS")) as client:
        assert client.eval("return redis.call('PING')", 0) in (b"PONG", "PONG")


def test_chromium_is_there_where_it_is_required() -> None:
    if os.environ.get("DRYSTONE_TEST_CHROMIUM") != "required":
        pytest.skip("DRYSTONE_TEST_CHROMIUM is not `required`")
    program = shutil.which("chromium")
    assert program is not None
    ended = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert ended.stdout.startswith("Chromium ")
