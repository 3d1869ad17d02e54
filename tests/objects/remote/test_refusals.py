"""What a person is told. The texts are made after those of obstore."""

from __future__ import annotations

import pytest

from drystone.objects.remote.refusals import refused

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
            "it has trouble of its own (5xx)",
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
