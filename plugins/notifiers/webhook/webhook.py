"""The webhook notifier."""

import hashlib
from collections.abc import Iterator

from detectviz.contracts.config import get_bool, get_int, get_text, get_text_map
from detectviz.contracts.http_answers import LARGEST_ANSWER_BYTES, answer_text, fetch_success
from detectviz.contracts.network import HttpRequest, TlsOptions
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from plugins.notifiers.webhook.payload import build_body, sign

_OURS = ("webhook-id", "webhook-timestamp", "webhook-signature", "authorization", "content-length")


class WebhookNotifier:
    """Posts Alertmanager's JSON to a URL."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Deliver once; raise DeliveryError unless the answer is 2xx."""
        body = build_body(notification, max_alerts=get_int(context.config, "max_alerts"))
        request = _request(notification, context, body)
        response = fetch_success(context, request, service="The webhook")
        return Receipt(
            status_code=response.status_code,
            answer=answer_text(response, secrets=context.secrets),
            request_digest=hashlib.sha256(body).hexdigest(),
        )


def _request(notification: Notification, context: NotifierContext, body: bytes) -> HttpRequest:
    config = context.config
    is_basic = get_text(config, "auth") == "basic"
    return HttpRequest(
        url=get_text(config, "url"),
        method=get_text(config, "method"),
        headers=tuple(_headers(notification, context, body)),
        body=body,
        timeout_s=context.timeout_s,
        follow_redirects=False,
        max_body_bytes=LARGEST_ANSWER_BYTES,
        tls=TlsOptions(
            verify=get_bool(config, "verify_tls", default=True), ca_pem=get_text(config, "ca_pem")
        ),
        basic_auth=(
            (get_text(config, "username"), context.secrets.get("password", ""))
            if is_basic
            else None
        ),
    )


def _headers(
    notification: Notification, context: NotifierContext, body: bytes
) -> Iterator[tuple[str, str]]:
    given = {
        name: value
        for name, value in get_text_map(context.config, "headers").items()
        if name.lower() not in _OURS
    }
    names = {name.lower() for name in given}
    if "content-type" not in names:
        yield "Content-Type", "application/json"
    if "user-agent" not in names:
        yield "User-Agent", "Detectviz"
    yield from given.items()
    at = context.now()
    yield "webhook-id", notification.delivery_id
    yield "webhook-timestamp", str(int(at.timestamp()))
    named = (context.secrets.get(name, "") for name in ("secret", "previous_secret"))
    secrets = [secret for secret in named if secret]
    if secrets:
        yield "webhook-signature", sign(notification.delivery_id, at, body, secrets)
    if get_text(context.config, "auth") == "bearer":
        yield "Authorization", f"Bearer {context.secrets.get('bearer_token', '')}"
