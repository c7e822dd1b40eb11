"""An answer's status, body and headers become one of the failure classes."""

from datetime import UTC, datetime

import pytest

from detectviz.contracts.errors import DeliveryError
from detectviz.contracts.http_answers import (
    answer_text,
    refusal,
    require_success,
    retry_after,
    without_secrets,
)
from detectviz.testing.notifiers import make_response

NOW = datetime(2026, 1, 31, 8, 30, tzinfo=UTC)


def test_a_success_is_none() -> None:
    require_success(make_response(204), service="Chat", now=NOW)


def test_a_refusal_names_the_service_and_what_to_do() -> None:
    with pytest.raises(DeliveryError, match=r"^Chat answered 403: it wants other credentials"):
        require_success(make_response(403), service="Chat", now=NOW)


def test_a_body_may_say_what_its_status_does_not() -> None:
    error = refusal(
        make_response(200, b'{"ok": false}'),
        service="Chat",
        now=NOW,
        reason="rateLimited",
        says="slow down",
        retry_after_s=7,
    )
    assert (error.reason, error.permanent, error.retry_after_s) == ("rateLimited", False, 7)
    assert error.message == "Chat answered 200: slow down."


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("1.5", 1.5), ("Sat, 31 Jan 2026 08:30:10 GMT", 10.0), ("nonsense", None), ("1.2.3", None)],
)
def test_the_wait_is_read_in_every_form(value: str, seconds: float | None) -> None:
    assert retry_after(make_response(429, headers=[("retry-after", value)]), NOW) == seconds


def test_no_secret_is_quoted_however_it_is_written() -> None:
    secrets = {"token": "a/b c+d", "tiny": "x"}
    text = without_secrets("a/b c+d a%2Fb%20c%2Bd a/b%20c%2Bd a%2Fb+c%2Bd x", secrets)
    assert text == "•••• •••• •••• •••• x"


def test_a_secret_at_the_end_of_what_is_kept_is_not_kept_in_part() -> None:
    body = b"." * 1_995 + b"s3cr3t-s3cr3t"
    kept = answer_text(make_response(500, body), secrets={"token": "s3cr3t-s3cr3t"})
    assert "s3c" not in kept
