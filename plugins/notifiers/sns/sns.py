"""The Amazon SNS notifier."""

import re
from typing import Final
from urllib.parse import urlencode

from detectviz.contracts.config import get_object, get_text
from detectviz.contracts.http_answers import FailureClass
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.contracts.posting import Exchange, Outgoing, send_bytes
from plugins.notifiers.sns.payload import build_fields
from plugins.notifiers.sns.sigv4 import AccessKey, signed_headers

_SERVICE: Final = "Amazon SNS"
_FORM: Final = "application/x-www-form-urlencoded; charset=utf-8"
_ELEMENT: Final = r"<{0}>([^<]{{0,2000}})</{0}>"
_AUTH: Final = frozenset(
    {
        *("InvalidClientTokenId", "SignatureDoesNotMatch", "AuthorizationError", "AccessDenied"),
        *("AccessDeniedException", "ExpiredToken", "MissingAuthenticationToken", "OptInRequired"),
        *("IncompleteSignature", "UnrecognizedClientException"),
    }
)
_LIMITED: Final = frozenset(
    {"Throttling", "ThrottlingException", "Throttled", "KMSThrottling", "RequestLimitExceeded"}
)


class SnsNotifier:
    """Publishes with a signed request."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Deliver once; raise DeliveryError unless SNS gave the message an id."""
        access = get_object(context.config, "sigv4")
        key = AccessKey(
            access_key=get_text(access, "access_key"),
            secret_key=context.secrets["sigv4/secret_key"],
            session_token=context.secrets.get("sigv4/session_token", ""),
            region=get_text(access, "region"),
            service="sns",
        )
        url = get_text(context.config, "api_url") or _regional_url(key.region)
        body = urlencode(
            build_fields(notification, context.config), encoding="utf-8", errors="replace"
        ).encode()
        headers = signed_headers(
            key, url=url, body=body, headers={"Content-Type": _FORM}, at=context.now()
        )
        given = tuple((name, value) for name, value in headers.items() if name != "Content-Type")
        outgoing = Outgoing(service=_SERVICE, url=url, headers=given)
        exchange = send_bytes(context, outgoing, body, content_type=_FORM)
        return exchange.receipt(external_id=_message_id(exchange))


def _regional_url(region: str) -> str:
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://sns.{region}.{domain}/"


def _message_id(exchange: Exchange) -> str:
    """Return the id of the published message; raise what an answer without one means."""
    found = _element(exchange, "MessageId")
    if exchange.is_success and found:
        return found
    code = _element(exchange, "Code")
    reason: FailureClass | None = "serverError" if exchange.is_success else None
    if code in _AUTH:
        reason = "authError"
    elif code in _LIMITED:
        reason = "rateLimited"
    says = ": ".join(filter(None, (code, _element(exchange, "Message"))))
    raise exchange.refusal(reason=reason, says=says)


def _element(exchange: Exchange, name: str) -> str:
    """Return the text of an element; the answers are too small to need a reader of XML."""
    text = exchange.response.body.decode("utf-8", "replace")
    found = re.search(_ELEMENT.format(name), text)
    return found[1] if found else ""
