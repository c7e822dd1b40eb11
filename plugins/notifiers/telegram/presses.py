"""Callback queries of Telegram, known by the secret token its webhook was set with."""

from detectviz.contracts.config import get_object
from detectviz.contracts.presses import Pressed, Received, read_object, require_equal, said_first
from detectviz.contracts.types import JsonObject

_LONGEST_ANSWER = 200


def read_query(received: Received, key: str) -> Pressed:
    """Check and read a callback query, which has no time but a number of its own."""
    require_equal(received.headers.get("x-telegram-bot-api-secret-token", ""), key)
    update = read_object(received.body)
    query = get_object(update, "callback_query")
    return Pressed(
        value=said_first(query, "data"),
        by=said_first(get_object(query, "from"), "username", "first_name"),
        nonce=f"telegram/{update.get('update_id')}",
        reference=said_first(query, "id"),
    )


def answer_query(pressed: Pressed, said: str) -> JsonObject:
    """Return a call of answerCallbackQuery, which an answer to the webhook may be."""
    return {
        "method": "answerCallbackQuery",
        "callback_query_id": pressed.reference,
        "text": said[:_LONGEST_ANSWER],
    }
