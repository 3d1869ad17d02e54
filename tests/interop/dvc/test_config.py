from __future__ import annotations

from pathlib import Path

import pytest

from drystone.core.errors import ProjectInvalid
from drystone.interop.dvc.config import Config, parse, read_config
from drystone.interop.dvc.credentials import Credentials


def configured(root: Path, text: str, local: str = "", outer: str = "") -> Config:
    (root / ".dvc").mkdir(exist_ok=True)
    (root / ".dvc" / "config").write_text(text)
    (root / ".dvc" / "config.local").write_text(local)
    (root / "outer").write_text(outer)
    return read_config(root, (root / "outer", root / "absent"), Path("/home/ada"))


def test_without_a_word_there_is_a_cache_and_no_remote(tmp_path: Path) -> None:
    assert configured(tmp_path, "") == Config(tmp_path / ".dvc" / "cache", (), None)


def test_the_default_remote_comes_first_and_local_settings_win(tmp_path: Path) -> None:
    config = configured(
        tmp_path,
        "# ours\n[core]\n    remote = b\n    analytics = false # never\n"
        '[\'remote "a"\']\n    url = s3://bucket/x\n["remote \\"odd\\""]\n'.replace(
            '["remote \\"odd\\""]\n', ""
        )
        + "['remote \"b\"']\n    url = 's3://bucket/#y'\n    profile = team\n",
        local="['remote \"b\"']\n    profile = mine\n    secret_access_key = xyz\n",
        outer="[cache]\n    dir = /shared\n['remote \"b\"']\n    region = eu-west-1\n",
    )
    assert config.cache == Path("/shared")
    assert [remote.name for remote in config.remotes] == ["b", "a"]
    first = config.remotes[0]
    assert (first.url, first.scheme) == ("s3://bucket/#y", "s3")
    assert first.options == {"profile": "mine", "secret_access_key": "xyz", "region": "eu-west-1"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [("../../store", "{parent}/store"), ("/abs", "/abs"), ("~/dvc", "/home/ada/dvc"), ("file:///x", "/x")],
)
def test_paths_are_relative_to_the_file_they_are_written_in(tmp_path: Path, written: str, meant: str) -> None:
    remote = configured(tmp_path, f"['remote \"a\"']\nurl = {written}\n").remotes[0]
    place = Path(remote.url).resolve() if written.startswith("..") else Path(remote.url)
    assert str(place) == meant.format(parent=tmp_path.parent.resolve())
    assert remote.scheme == "local"


def test_a_remote_may_build_on_another(tmp_path: Path) -> None:
    text = "['remote \"a\"']\nurl = s3://b/x\nregion = r\n['remote \"c\"']\nurl = remote://a/deep\n"
    remote = configured(tmp_path, text).chosen("c")[0]
    assert (remote.url, remote.options) == ("s3://b/x/deep", {"region": "r"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense\n", "cannot be understood"),
        ("key = before any section\n", "cannot be understood"),
        ("['remote \"a\"']\nurl = remote://a/x\n", "builds on it in turn"),
        ("['remote \"a\"']\nurl = remote://b/x\n", "is not configured"),
        ("['remote \"a\"']\njobs = 4\n", "has no `url`"),
    ],
)
def test_what_cannot_be_understood_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ProjectInvalid, match=message):
        configured(tmp_path, text)


def test_a_remote_that_is_not_there_is_named_with_one_that_is(tmp_path: Path) -> None:
    with pytest.raises(ProjectInvalid) as refused:
        configured(tmp_path, "['remote \"storage\"']\nurl = /x\n").chosen("storrage")
    assert refused.value.hints[0] == "a remote with a similar name exists: `storage`"


def test_sections_may_be_quoted_in_either_way() -> None:
    assert parse('["core"]\na = "b # c"\n[ cache ]\nDIR = x\n', of="c") == {
        "core": {"a": "b # c"},
        "cache": {"dir": "x"},
    }


def test_aws_credentials_come_by_the_usual_chain(tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(
        "[default]\naws_access_key_id = D\naws_secret_access_key = d\n"
        "[team]\naws_access_key_id = T\naws_secret_access_key = t\naws_session_token = s\n"
    )
    (tmp_path / ".aws" / "config").write_text("[profile team]\nregion = eu-north-1\n")
    environ = {"AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "e"}
    here = Credentials(environ, tmp_path)
    assert here.aws({})["access_key_id"] == "E"
    assert Credentials({}, tmp_path).aws({}) == {"access_key_id": "D", "secret_access_key": "d"}
    assert here.aws({"profile": "team"}) == {
        "access_key_id": "T",
        "secret_access_key": "t",
        "session_token": "s",
        "region": "eu-north-1",
    }
    own = {"access_key_id": "O", "secret_access_key": "o", "region": "r"}
    assert here.aws(own) == own
    assert Credentials({}, None).aws({}) == {}


def test_a_file_with_profiles_that_cannot_be_understood_is_told(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("no section\n")
    with pytest.raises(ValueError, match="config` cannot be understood"):
        Credentials({}, None).aws({"configpath": str(tmp_path / "config")})
