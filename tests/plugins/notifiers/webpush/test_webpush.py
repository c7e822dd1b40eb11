"""Web push: the vectors of its RFCs, and what a browser reads of what was sent."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from detectviz.contracts.errors import ConfigurationError, DeliveryError
from detectviz.contracts.network import HttpRequest
from detectviz.contracts.notifier import Notification, Notifier, NotifierContext
from detectviz.contracts.types import AlertStatus, JsonObject, PluginKind
from detectviz.testing.notifiers import (
    NOW,
    FakeHttp,
    HttpNotifierSuite,
    hostile_notification,
    make_alert,
    make_notification,
    make_notifier_context,
    make_response,
)
from detectviz.testing.plugins import built_in_plugins
from plugins.notifiers.webpush.encryption import LARGEST_BODY, Once, encrypt, public_bytes
from plugins.notifiers.webpush.vapid import authorization, decode64, encode64

# RFC 8291, appendix A.
SENDER = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
BROWSER = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
P256DH = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
BODY = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmY"
    "WAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexS"
    "gSxsj_Qulcy4a-fN"
)
# RFC 8292, section 2.4.
TOKEN = (
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJleHAi"
    "OjE0NTM1MjM3NjgsInN1YiI6Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0.i3CYb7t4xfxCDquptFOepC9GAu_H"
    "LGkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9OkSSHzvoD1oA"
)
TOKEN_KEY = (
    "BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs"
)
ENDPOINT = "https://push.example:8443/send/c4n4ry-t0k3n"


def key_of(text: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(decode64(text)), ec.SECP256R1())


def decrypted(body: bytes) -> bytes:
    """Read a message as the browser does (RFC 8188 and 8291, from the other side)."""
    salt, size, sender, sealed = body[:16], body[16:20], body[21:86], body[86:]
    assert (int.from_bytes(size), body[20], len(body) <= LARGEST_BODY) == (4096, 65, True)

    def derive(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
        return HKDF(hashes.SHA256(), length, salt, info).derive(secret)

    curve = ec.SECP256R1()
    shared = key_of(BROWSER).exchange(
        ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(curve, sender)
    )
    info = b"WebPush: info\0" + decode64(P256DH) + sender
    agreed = derive(decode64(AUTH), shared, info, 32)
    key = derive(salt, agreed, b"Content-Encoding: aes128gcm\0", 16)
    nonce = derive(salt, agreed, b"Content-Encoding: nonce\0", 12)
    plain = AESGCM(key).decrypt(nonce, sealed, None)
    assert plain.endswith(b"\x02")
    return plain[:-1]


def verified(header: str) -> dict[str, Any]:
    """Return a token's claims once its signature is checked with the key beside it."""
    token, _, key = header.removeprefix("vapid t=").partition(", k=")
    signed, _, signature = token.rpartition(".")
    raw = decode64(signature)
    numbers = (int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decode64(key))
    public.verify(encode_dss_signature(*numbers), signed.encode(), ec.ECDSA(hashes.SHA256()))
    return dict(json.loads(decode64(signed.split(".")[1])))


class TestConformance(HttpNotifierSuite):
    name = "webpush"
    recordings = Path(__file__).parent / "data"
    uses_actions = True
    success = make_response(201, b"", [("Location", "https://push.example/message/1")])
    failures = {
        "clientError": make_response(400, b'{"code":400,"errno":110,"error":"Bad Request"}'),
        "authError": make_response(403, b'{"message":"invalid JWT provided"}'),
        "rateLimited": make_response(429, b"", [("Retry-After", "30")]),
        "serverError": make_response(503, b"<html>"),
    }

    def make_context(self, http: FakeHttp) -> NotifierContext:
        return context_for(http)

    def _deliver(self, notifier: Notifier, notification: Notification) -> list[HttpRequest]:
        """Record what the browser reads: the sealed bytes say nothing to a reader."""
        requests = super()._deliver(notifier, notification)
        return [replace(request, body=decrypted(request.body)) for request in requests]


def context_for(http: FakeHttp, **config: Any) -> NotifierContext:
    given: JsonObject = {"p256dh": P256DH, "subject": "mailto:ops@example.org", **config}
    secrets: Any = {"endpoint": ENDPOINT, "auth": AUTH, "vapid_private_key": SENDER}
    return make_notifier_context("webpush", given, secrets, http=http)


@pytest.fixture
def notifier() -> Notifier:
    return built_in_plugins().load(PluginKind.NOTIFIER, "webpush")


def sent(notifier: Notifier, notification: Notification, **config: Any) -> HttpRequest:
    http = FakeHttp(answer=make_response(201))
    notifier.notify(notification, context_for(http, **config))
    (request,) = http.requests
    return request


def read(request: HttpRequest) -> dict[str, Any]:
    return dict(json.loads(decrypted(request.body)))


def test_the_example_of_rfc_8291_comes_out_as_printed_there() -> None:
    once = Once(key=key_of(SENDER), salt=decode64("DGv6ra1nlYgDCS1FRnbzlw"))
    message = b"When I grow up, I want to be a watermelon"
    body = encrypt(message, receiver=decode64(P256DH), auth=decode64(AUTH), once=once)
    assert encode64(body) == BODY
    assert decrypted(body) == message


def test_tokens_are_what_rfc_8292_has_as_example() -> None:
    claims = verified(f"vapid t={TOKEN}, k={TOKEN_KEY}")
    assert claims["aud"] == "https://push.example.net"
    header = authorization(
        key=key_of(SENDER),
        endpoint="https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV",
        subject="mailto:push@example.com",
        now_s=1453523768 - 12 * 3600,
    )
    assert verified(header) == claims
    assert header.split(".")[:2] == f"vapid t={TOKEN}".split(".")[:2]


def test_the_service_is_told_who_sends_how_long_to_keep_it_and_what_it_replaces(
    notifier: Notifier,
) -> None:
    headers = dict(sent(notifier, make_notification(), ttl_s=60).headers)
    assert (headers["TTL"], headers["Urgency"]) == ("60", "high")
    assert (len(headers["Topic"]), headers["Content-Encoding"]) == (32, "aes128gcm")
    claims = verified(headers["Authorization"])
    assert claims["aud"] == "https://push.example:8443"
    assert claims["exp"] - NOW.timestamp() == 12 * 3600
    over = make_notification(status=AlertStatus.RESOLVED)
    later = dict(sent(notifier, over).headers)
    assert (later["Topic"], later["Urgency"]) == (headers["Topic"], "normal")


def test_other_words_have_another_key_and_salt(notifier: Notifier) -> None:
    first = sent(notifier, make_notification()).body
    assert sent(notifier, make_notification()).body == first
    other = sent(notifier, replace(make_notification(), delivery_id="dlv_02")).body
    assert first[:16] != other[:16]
    assert first[21:86] != other[21:86]
    told = sent(notifier, make_notification(), title="Other").body
    assert first[21:86] != told[21:86]


def test_what_is_too_long_is_cut_to_one_record(notifier: Notifier) -> None:
    alerts = [make_alert(monitor=f"m{index}", text="💥" * 500) for index in range(20)]
    for notification in (make_notification(*alerts), hostile_notification()):
        request = sent(notifier, notification, message='\\"\n' * 6_000)
        assert len(request.body) <= LARGEST_BODY
        assert read(request)["title"]
    assert read(sent(notifier, make_notification()))["stays"]


@pytest.mark.parametrize("status", [404, 410])
def test_a_subscription_that_is_over_is_said_to_be_gone(notifier: Notifier, status: int) -> None:
    with pytest.raises(DeliveryError) as refused:
        notifier.notify(make_notification(), context_for(FakeHttp(answer=make_response(status))))
    assert (refused.value.is_gone, refused.value.permanent) == (True, True)


def test_keys_that_can_not_be_are_named(notifier: Notifier) -> None:
    flat = encode64(b"\x04" + b"\x01" * 64)
    with pytest.raises(ConfigurationError, match="subscribe again"):
        notifier.notify(make_notification(), context_for(FakeHttp(), p256dh=flat))
    context = context_for(FakeHttp())
    keyless = replace(context, secrets={**context.secrets, "vapid_private_key": ""})
    with pytest.raises(ConfigurationError, match="private key"):
        notifier.notify(make_notification(), keyless)
    assert public_bytes(key_of(BROWSER).public_key()) == decode64(P256DH)
