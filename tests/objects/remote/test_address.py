from __future__ import annotations

from pathlib import Path

import pytest
from tests.objects.remote.conftest import KEYS, make_bucket

from drystone.core.errors import ProjectInvalid
from drystone.objects.remote.address import Address, Surroundings, open_bucket
from drystone.objects.remote.bucket import Bucket


def opened(tmp_path: Path, url: str, environ: dict[str, str] | None = None, **settings: str) -> Bucket:
    around = Surroundings(environ or {}, tmp_path / "home", tmp_path / "project")
    return open_bucket(Address("lab", url, **settings), around)


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("/mnt/lab", "/mnt/lab"),
        ("../shared", "{}/shared"),
        ("~/lab", "{}/home/lab"),
        ("file:///mnt/a%20b", "/mnt/a b"),
        ("file://localhost/mnt/lab", "/mnt/lab"),
    ],
)
def test_folders(tmp_path: Path, url: str, where: str) -> None:
    assert opened(tmp_path, url).url == where.format(tmp_path)


@pytest.mark.parametrize(
    ("url", "because"),
    [
        ("ftp://host/x", "`ftp://` is none of the places that are known"),
        ("https://host/x", "`https://` is none of the places that are known"),
        ("s3://AKIA:secret@bucket/x", "credentials must not stand in it"),
        ("gs://user@bucket/x", "credentials must not stand in it"),
        ("file://server/share", "a folder is on this machine, not on `server`; mount it"),
        ("az://container/prefix", "its account is not known; set `AZURE_STORAGE_ACCOUNT_NAME`"),
    ],
)
def test_what_cannot_be_an_address(
    tmp_path: Path, url: str, because: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(ProjectInvalid, match="remote `lab` has no usable address") as caught:
        opened(tmp_path, url)
    assert because in caught.value.because[0]
    assert "secret" not in caught.value.because[0]


def test_clouds_that_have_no_server_here_are_opened_and_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    for url in (
        "gs://bucket/prefix",
        "az://container/prefix",
        "abfss://container@account.dfs.core.windows.net/prefix",
    ):
        bucket = opened(tmp_path, url)
        assert bucket.url == url
        assert bucket.traffic.requests == 0


def test_a_profile_gives_keys_region_and_endpoint(tmp_path: Path, moto: str) -> None:
    folder = tmp_path / "home" / ".aws"
    folder.mkdir(parents=True)
    (folder / "credentials").write_text("[lab]\naws_access_key_id = a\naws_secret_access_key = b\n")
    (folder / "config").write_text(f"[profile lab]\nregion = us-east-1\nendpoint_url = {moto}\n")
    bucket = opened(tmp_path, f"s3://{make_bucket(moto)}/x", profile="lab")
    bucket.put("k", b"stone")
    assert bucket.get("k") == b"stone"


def test_a_profile_is_not_mixed_with_what_the_environment_has(
    tmp_path: Path, rclone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "home" / ".aws"
    folder.mkdir(parents=True)
    pair = [KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"]]
    (folder / "credentials").write_text(
        f"[lab]\naws_access_key_id = {pair[0]}\naws_secret_access_key = {pair[1]}\n"
    )
    other = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_SESSION_TOKEN": "z"}
    for name, value in other.items():
        monkeypatch.setenv(name, value)
    bucket = opened(tmp_path, f"s3://{make_bucket(rclone)}/x", other, profile="lab", endpoint=rclone)
    bucket.put("k", b"stone")


@pytest.mark.parametrize(
    ("config", "because"),
    [
        ("", "there is no profile `lab` in `~/.aws/credentials` or `~/.aws/config`"),
        (
            "[profile lab]\nsso_session = corp\n",
            "profile `lab` holds no access key; set variables from it with",
        ),
        ("lab = x", "cannot be understood"),
    ],
)
def test_profiles_that_do_not_help(tmp_path: Path, config: str, because: str) -> None:
    folder = tmp_path / "home" / ".aws"
    folder.mkdir(parents=True)
    (folder / "config").write_text(config)
    with pytest.raises(ProjectInvalid) as caught:
        opened(tmp_path, "s3://bucket/x", profile="lab")
    assert because in caught.value.because[0]
