"""Callback queries of Telegram."""

import json

from detectviz.contracts.presses import Pressed, Received
from detectviz.testing.presses import PressSuite
from plugins.notifiers.telegram.presses import answer_query

# What nobody but Telegram knows is the token: a body alone says nothing of where it comes from.
TOKEN = "x-telegram-bot-api-secret-token"


class TestPresses(PressSuite):
    name = "telegram"
    lifetime = None
    covers_body = False

    def make_press(self, value: str) -> Received:
        query = {"id": "q", "data": value, "from": {"id": 1, "username": "ann"}}
        body = json.dumps({"update_id": 7, "callback_query": query}).encode()
        return Received(body=body, headers={TOKEN: self.KEY})


def test_the_answer_names_the_query_and_is_short_enough() -> None:
    answer = answer_query(Pressed(value="x", nonce="n", reference="q"), "a" * 300)
    assert answer["callback_query_id"] == "q"
    assert answer["text"] == "a" * 200
