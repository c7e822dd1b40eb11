"""One request to a service, and what of it may be told."""

import hashlib

import pytest

from detectviz.contracts.errors import NetworkError
from detectviz.contracts.posting import (
    Outgoing,
    json_object,
    seconds_in,
    send_form,
    send_json,
)
from detectviz.testing.notifiers import FakeHttp, make_notifier_context, make_response

HOOK = "https://x.example/hooks/T0123456789?key=k9876543210"


def test_json_is_sent_as_utf8_and_its_digest_is_kept() -> None:
    http = FakeHttp(answer=make_response(200, b'{"id": 7}'))
    context = make_notifier_context("webhook", {"url": "https://x.example/"}, http=http)
    outgoing = Outgoing(service="X", url="https://x.example/", headers=(("X-A", "b"),))
    exchange = send_json(context, outgoing, {"text": "监\ud800"})
    (request,) = http.requests
    assert request.body == '{"text":"监?"}'.encode()
    assert dict(request.headers)["X-A"] == "b"
    assert not request.follow_redirects
    receipt = exchange.receipt(external_id=exchange.said("no", "id"))
    assert receipt.external_id == "7"
    assert receipt.request_digest == hashlib.sha256(request.body).hexdigest()


def test_a_form_may_repeat_names() -> None:
    http = FakeHttp()
    context = make_notifier_context("webhook", {"url": "https://x.example/"}, http=http)
    send_form(context, Outgoing(service="X", url="https://x.example/"), [("a", "1 é"), ("a", "2")])
    assert http.requests[0].body == b"a=1+%C3%A9&a=2"


@pytest.mark.parametrize("part", [HOOK, "T0123456789", "k9876543210"])
def test_no_part_of_a_secret_address_is_told(part: str) -> None:
    answers = (NetworkError(f"lost {part}", phase="send"), make_response(500, part.encode()))
    for answer in answers:
        http = FakeHttp(answer=answer)
        context = make_notifier_context(
            "webhook", {"url": "https://x.example/"}, {"secret": HOOK}, http=http
        )
        try:
            exchange = send_json(context, Outgoing(service="X", url=HOOK), {})
            told = f"{exchange.refusal().message} {exchange.receipt().answer}"
        except NetworkError as error:
            told = error.message
        assert part not in told


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b'"x"', b"[" * 5_000])
def test_what_is_no_object_is_empty(body: bytes) -> None:
    assert json_object(body) == {}


@pytest.mark.parametrize(
    ("value", "seconds"), [(3, 3.0), (0.5, 0.5), ("3", None), (True, None), (None, None)]
)
def test_a_wait_is_read_from_an_answer(value: float | str | None, seconds: float | None) -> None:
    assert (
        seconds_in({"parameters": {"retry_after": value}}, "parameters", "retry_after") == seconds
    )
