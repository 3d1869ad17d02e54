"""Addresses that hold credentials, or are no places, are refused before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.saying import Said  # type: ignore[import-not-found]

SECRET = "wJalrXUtnFEMI"


@pytest.mark.parametrize("json", [False, True])
@pytest.mark.parametrize(
    "words",
    [
        [f"s3://AKIAEXAMPLE:{SECRET}@bucket/p"],
        [f"s3://AKIAEXAMPLE:{SECRET[:4]}/{SECRET}@bucket/p"],
        [f"s3://{SECRET}@bucket/p"],
        [f"gs://user:{SECRET}@bucket"],
        [f"az://user:{SECRET}@container/x"],
        [f"abfss://container:{SECRET}@account.dfs.core.windows.net/x"],
        [f"abfss://user:{SECRET}@container@account.dfs.core.windows.net/x"],
        [f"ssh://ada:{SECRET}@host/x"],
        [f"file://ada:{SECRET}@host/x"],
        [f"s3://bkt/p?X-Amz-Key={SECRET}"],
        [f"s3://bkt/p#{SECRET}"],
        ["s3://bucket/p", "--endpoint", f"http://u:{SECRET}@host"],
        ["s3://bucket/p", "--endpoint", f"https://host/?key={SECRET}"],
        ["s3://bucket/p", "--endpoint", f"http://u:{SECRET[:4]}/{SECRET}@host"],
    ],
)
def test_credentials_are_refused_and_not_repeated(
    said: Callable[..., Said], repository: Path, words: list[str], json: bool
) -> None:
    refused = said("remote", "add", "lab", *words, *(["--json"] if json else []))
    assert refused.code == 2
    assert "credentials must not stand in it" in refused.out + refused.err
    assert "AWS_ACCESS_KEY_ID" in refused.out + refused.err
    assert SECRET[:4] not in refused.out + refused.err
    assert not (repository / "drystone.toml").exists()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["ssh://host/x"], "`ssh://` is none of the places that are known"),
        (["http://host:80/x"], "`http://` is none of the places that are known"),
        (["s3://bucket", "--endpoint", "host:9000"], "its endpoint is not `https://HOST`"),
        (["s3://bucket", "--endpoint", "http://host:port"], "its endpoint is not `https://HOST`"),
    ],
)
def test_what_is_no_place_is_refused(
    said: Callable[..., Said], repository: Path, words: list[str], why: str
) -> None:
    refused = said("remote", "add", "lab", *words)
    assert refused.code == 2
    assert why in refused.err
    assert not (repository / "drystone.toml").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["/mnt/lab/a?b#c@d:e"],
        ["../with@at"],
        ["file:///mnt/lab@home/x"],
        ["s3://bucket/prefix@home/x:y", "--endpoint", "http://127.0.0.1:9000"],
        ["abfss://container@account.dfs.core.windows.net/x"],
    ],
)
def test_places_are_taken(said: Callable[..., Said], repository: Path, words: list[str]) -> None:
    assert said("remote", "add", "lab", *words).code == 0
    assert said("remote").code == 0


@pytest.mark.parametrize(
    "verb", [["remote"], ["push"], ["pull"], ["push", "--dry-run"], ["remote", "--json"]]
)
@pytest.mark.parametrize(
    "settings",
    [f'url = "s3://AKIA:{SECRET}@bucket/p"', f'url = "s3://b/p"\nendpoint = "http://u:{SECRET}@host"'],
)
def test_credentials_that_stand_in_the_file_are_not_repeated(
    said: Callable[..., Said], repository: Path, verb: list[str], settings: str
) -> None:
    (repository / "drystone.toml").write_text(f"[remotes.lab]\n{settings}\n")
    refused = said(*verb)
    assert refused.code == 3
    assert "credentials must not stand in it" in refused.out + refused.err
    assert "drystone remote remove lab" in refused.out + refused.err
    assert SECRET not in refused.out + refused.err
    assert said("remote", "remove", "lab").code == 0
    assert SECRET not in (repository / "drystone.toml").read_text()


def test_an_address_given_to_a_verb_is_not_repeated_either(
    said: Callable[..., Said], repository: Path
) -> None:
    refused = said("get", "b3:" + "0" * 64, "--remote", f"s3://AKIA:{SECRET}@bucket/p")
    assert refused.code == 3
    assert SECRET not in refused.out + refused.err
