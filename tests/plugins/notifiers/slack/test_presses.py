"""Interactions of Slack, signed as its documentation shows."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest

from detectviz.contracts.presses import Received, SignatureError, UnreadableError
from detectviz.testing.notifiers import NOW
from detectviz.testing.presses import PressSuite
from plugins.notifiers.slack.presses import read_interaction

STAMP = str(int(NOW.timestamp()))
KEY = PressSuite.KEY


class TestPresses(PressSuite):
    name = "slack"

    def make_press(self, value: str) -> Received:
        payload = {"user": {"username": "ann"}, "actions": [{"value": value}]}
        body = urlencode({"payload": json.dumps(payload)}).encode()
        signed = f"v0:{STAMP}:".encode() + body
        digest = hmac.new(KEY.encode(), signed, hashlib.sha256).hexdigest()
        headers = {"x-slack-request-timestamp": STAMP, "x-slack-signature": f"v0={digest}"}
        return Received(body=body, headers=headers)


def test_slacks_own_example_of_a_signature_is_taken() -> None:
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
        b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
        b"&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands"
        b"%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    headers = {
        "x-slack-request-timestamp": "1531420618",
        "x-slack-signature": (
            "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
        ),
    }
    request = Received(body=body, headers=headers)
    at = datetime.fromtimestamp(1531420618, tz=UTC)
    with pytest.raises(UnreadableError, match="JSON"):  # it is a command, no interaction
        read_interaction(request, KEY, at)
    with pytest.raises(SignatureError, match="too old"):
        read_interaction(request, KEY, at + timedelta(minutes=6))
