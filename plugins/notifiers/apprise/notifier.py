"""The Apprise notifier."""

import hashlib
import re

from detectviz.contracts.config import get_int
from detectviz.contracts.errors import DeliveryError
from detectviz.contracts.message import text_of, title_of
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from plugins.notifiers.apprise.service import Result, open_service, send

_KEPT_CHARACTERS = 2_000
_SHORTEST_SECRET = 6
_MENTION = r"@(?=everyone|here|channel|all)|<(?=[!@#])"
_ZERO_WIDTH_SPACE = "\u200b"


class AppriseNotifier:
    """Sends a title and a plain text through one of Apprise's services."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Deliver once; raise DeliveryError unless the service accepted."""
        url = context.secrets.get("url", "")
        title = _without_mentions(title_of(notification))
        body = _without_mentions(
            text_of(notification, max_characters=get_int(context.config, "max_characters"))
        )
        service = open_service(url, context.http, context.timeout_s)
        result = send(service, title, body)
        if not result:
            raise _refusal(result, url)
        digest = hashlib.sha256(f"{title}\n{body}".encode())
        return Receipt(request_digest=digest.hexdigest())


def _without_mentions(text: str) -> str:
    """Return ``text`` with what chats take as calling everybody taken apart."""
    return re.sub(_MENTION, lambda match: f"{match[0]}{_ZERO_WIDTH_SPACE}", text)


def _refusal(result: Result, url: str) -> DeliveryError:
    said = _redact(" ".join(entry.message for entry in result.logs()), url)[:_KEPT_CHARACTERS]
    if result.timeout_count:
        return DeliveryError("The service did not answer in time.", reason="timeout", answer=said)
    found = re.search(r"error[=:]\s*(\d{3})\b", said)
    status = int(found[1]) if found else None
    reason, permanent = _class_of(status)
    code = f" ({status})" if status else ""
    return DeliveryError(
        f"The service did not accept the notification{code}; its words are in the answer.",
        reason=reason,
        permanent=permanent,
        status_code=status,
        answer=said,
    )


def _class_of(status: int | None) -> tuple[str, bool]:
    if status in {401, 403}:
        return "authError", True
    if status == 429:  # noqa: PLR2004 - HTTP's own number
        return "rateLimited", False
    if status is not None and 300 <= status < 500 and status != 408:  # noqa: PLR2004 - HTTP's own
        return "clientError", True
    return "serverError", False


def _redact(text: str, url: str) -> str:
    """Return ``text`` without any longer part of the secret address."""
    parts = {part for part in re.split(r"[/:@?&=#+]+", url) if len(part) >= _SHORTEST_SECRET}
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, "***")
    return text
