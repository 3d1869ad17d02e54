"""What a person is told. The texts are made after those of obstore."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from tests.objects.remote.conftest import s3_bucket
from tests.objects.remote.serving import serving

from drystone.core.errors import RemoteUnavailable
from drystone.objects.remote.refusals import refused

RETRIED = "GET http://h/b/k in 5ms, after 4 retries, max_retries: 4, retry_timeout: 60s  - "
S3 = "Generic S3 error: Error performing PUT http://h/b/k in 1ms - Server returned non-2xx status code: "


@pytest.mark.parametrize(
    ("text", "url", "message", "because", "hint"),
    [
        (
            f"{S3}403 Forbidden: <Error><Code>RequestTimeTooSkewed</Code></Error>",
            "s3://b",
            "cannot be used",
            "this machine's clock and the remote's differ by too much",
            "timedatectl set-ntp true",
        ),
        (
            f"{S3}403 Forbidden: <Code>SignatureDoesNotMatch</Code>",
            "s3://b",
            "refused",
            "the secret key is wrong",
            "AWS_",
        ),
        (
            f"{S3}403 Forbidden: <Code>ExpiredToken</Code>",
            "s3://b",
            "refused",
            "the credentials have expired",
            "AWS_",
        ),
        (
            f"{S3}403 Forbidden: ",
            "gs://b",
            "refused",
            "these credentials do not allow it (403)",
            "gcloud auth",
        ),
        (
            f"{S3}401 Unauthorized: ",
            "az://b",
            "refused",
            "it wants credentials, or other ones (401)",
            "AZURE_",
        ),
        (
            f"{S3}404 Not Found: <Code>NoSuchBucket</Code>",
            "s3://b",
            "cannot be used",
            "there is no such bucket",
            "`url`",
        ),
        (
            f"{S3}503 Slow Down: ",
            "s3://b",
            "cannot be used",
            "it answered 503 Slow Down",
            "run the same command again",
        ),
        (
            f"{RETRIED}Server returned non-2xx status code: 500 Internal Server Error: "
            "<Error><Code>InternalError</Code><Message>disk 7 timed out</Message></Error>\n\nDebug source: x",
            "s3://b",
            "cannot be used",
            "it answered 500 Internal Server Error: InternalError, disk 7 timed out",
            "run the same command again",
        ),
        (
            f"{RETRIED}HTTP error: connection closed before message completed",
            "s3://b",
            "cannot be used",
            "the connection was cut",
            "run the same command again",
        ),
        (
            "Generic S3 error: Error performing GET http://169.254.169.254/latest/api/token in 5s",
            "s3://b",
            "refused",
            "no credentials were found",
            "AWS_ACCESS_KEY_ID",
        ),
        (
            "error trying to connect: dns error: failed to lookup",
            "s3://b",
            "cannot be used",
            "its host is not known",
            "again",
        ),
        ("operation timed out", "s3://b", "cannot be used", "it does not answer in time", "again"),
        (
            "No space left on device (os error 28)",
            "/mnt/lab",
            "cannot be used",
            "no space left on device",
            "df -h /mnt/lab",
        ),
        ("Read-only file system (os error 30)", "/mnt/lab", "refused", "read-only file system", "ls -ld"),
        (
            "something new\n\nDebug source:\n" + "x" * 900,
            "s3://b",
            "cannot be used",
            "something new",
            "again",
        ),
        ("", "s3://b", "cannot be used", "it gives no reason", "again"),
    ],
)
def test_reasons_are_short_and_hints_exact(
    text: str, url: str, message: str, because: str, hint: str
) -> None:
    error = refused(OSError(text), "lab", url, "k")
    assert error.message == f"remote `lab` {message}"
    assert error.because == (because,)
    assert error.at == (f"{url}/k",)
    assert hint in error.hints[0]


class Troubled(BaseHTTPRequestHandler):
    """Answers everything with 500."""

    def do_GET(self) -> None:
        body = b"<Error><Code>InternalError</Code><Message>no disk</Message></Error>"
        self.send_response(500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def troubled() -> Iterator[str]:
    with serving(Troubled) as url:
        yield url


def test_what_a_server_in_trouble_answers_is_told(troubled: str, tmp_path: Path) -> None:
    with pytest.raises(RemoteUnavailable) as caught:
        s3_bucket(troubled, "b", tmp_path).get("drystone.json")
    assert caught.value.because == ("it answered 500 Internal Server Error: InternalError, no disk",)
