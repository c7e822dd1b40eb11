"""Card actions of Feishu and Lark, and the app whose cards cause them."""

import base64
import hashlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from detectviz.contracts.errors import DeliveryError
from detectviz.contracts.notifier import Receipt
from detectviz.contracts.presses import Received, SignatureError
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.testing.notifiers import (
    NOW,
    FakeHttp,
    make_notifier_context,
    make_response,
    notification_with_actions,
)
from detectviz.testing.plugins import built_in_plugins
from detectviz.testing.presses import VALUE, PressSuite
from plugins.notifiers.feishu.presses import answer_action, decrypted, read_action

STAMP = str(int(NOW.timestamp()))
TOKEN = make_response(200, b'{"code":0,"msg":"ok","tenant_access_token":"t-1","expire":7200}')
SENT = make_response(200, b'{"code":0,"msg":"success","data":{"message_id":"om_1"}}')
APP: JsonObject = {"app_id": "cli_1", "chat_id": "oc_1", "interactive_buttons": True}


def action(value: str, *, token: str) -> dict[str, Any]:
    header = {"event_id": "e1", "token": token, "event_type": "card.action.trigger"}
    pressed = {"value": {"value": value}, "tag": "button"}
    event = {"operator": {"open_id": "ann"}, "token": "c-1", "action": pressed}
    return {"schema": "2.0", "header": header, "event": event}


def sealed(document: dict[str, Any], key: str) -> bytes:
    padder = PKCS7(128).padder()
    text = padder.update(json.dumps(document).encode()) + padder.finalize()
    vector = bytes(range(16))
    cipher = Cipher(AES(hashlib.sha256(key.encode()).digest()), CBC(vector)).encryptor()
    content = vector + cipher.update(text) + cipher.finalize()
    return json.dumps({"encrypt": base64.b64encode(content).decode()}).encode()


class TestPlainPresses(PressSuite):
    """The Verification Token vouches for the whole body, as a password would."""

    name = "feishu"
    lifetime = None
    covers_body = False

    def make_press(self, value: str) -> Received:
        body = json.dumps(action(value, token=self.KEY)).encode()
        return Received(body=body, headers={})


class TestSealedPresses(PressSuite):
    name = "feishu"

    def make_press(self, value: str) -> Received:
        body = sealed(action(value, token="other"), self.KEY)
        signed = f"{STAMP}nonce{self.KEY}".encode() + body
        headers = {
            "x-lark-request-timestamp": STAMP,
            "x-lark-request-nonce": "nonce",
            "x-lark-signature": hashlib.sha256(signed).hexdigest(),
        }
        return Received(body=body, headers=headers)


def test_the_documentations_own_example_is_opened() -> None:
    assert decrypted("P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk=", "test key") == b"hello world"


def test_a_sealed_press_needs_its_signature_too() -> None:
    body = sealed(action(VALUE, token="x"), "key")
    with pytest.raises(SignatureError):
        read_action(Received(body=body, headers={}), "key", NOW)


@pytest.mark.parametrize("is_sealed", [False, True])
def test_a_new_address_repeats_the_challenge(is_sealed: bool) -> None:
    asked = {"challenge": "ajls384k", "token": "key", "type": "url_verification"}
    body = sealed(asked, "key") if is_sealed else json.dumps(asked).encode()
    pressed = read_action(Received(body=body, headers={}), "key", NOW)
    assert pressed.is_ping
    assert answer_action(pressed, "") == {"challenge": "ajls384k"}
    with pytest.raises(SignatureError):
        read_action(Received(body=body, headers={}), "other", NOW)


def told(http: FakeHttp, *, thread: JsonObject | None = None, **more: Any) -> Receipt:
    context = make_notifier_context(
        "feishu", {**APP, **more}, {"app_secret": "s3cr3t"}, http=http, thread=thread or {}
    )
    notifier = built_in_plugins().load(PluginKind.NOTIFIER, "feishu")
    receipt: Receipt = notifier.notify(notification_with_actions(), context)
    return receipt


def test_an_app_posts_a_card_whose_buttons_tell_it() -> None:
    http = FakeHttp(first=[TOKEN], answer=SENT)
    receipt = told(http)
    token, sent = http.requests
    assert token.url == "https://open.feishu.cn/open-apis/auth/v3/tenant_access_token/internal"
    assert sent.url.endswith("/open-apis/im/v1/messages?receive_id_type=chat_id")
    assert dict(sent.headers)["Authorization"] == "Bearer t-1"
    message = json.loads(sent.body)
    assert (message["receive_id"], message["msg_type"]) == ("oc_1", "interactive")
    assert message["uuid"] == "dlv_01"
    acknowledge, opening = json.loads(message["content"])["elements"][-1]["actions"]
    assert acknowledge["value"] == {"value": VALUE}
    assert "url" not in acknowledge
    assert opening["url"]
    assert receipt.external_id == "om_1"


def test_an_app_changes_its_card_and_posts_anew_where_that_is_gone() -> None:
    http = FakeHttp(first=[TOKEN], answer=SENT)
    receipt = told(http, updates="edit", thread={"message_id": "om_0"})
    assert (http.requests[1].method, http.requests[1].url.endswith("/om_0")) == ("PATCH", True)
    assert receipt.thread == {"message_id": "om_0"}
    gone = make_response(400, b'{"code":230011,"msg":"The message is recalled."}')
    http = FakeHttp(first=[TOKEN, gone], answer=SENT)
    assert told(http, updates="edit", thread={"message_id": "om_0"}).thread == {
        "message_id": "om_1"
    }


def test_a_wrong_secret_is_a_matter_of_credentials() -> None:
    http = FakeHttp(answer=make_response(400, b'{"code":10014,"msg":"app secret invalid"}'))
    with pytest.raises(DeliveryError) as refused:
        told(http)
    assert refused.value.reason == "authError"
