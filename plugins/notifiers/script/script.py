"""The notifier that runs a script of the operator."""

import hashlib
import json
from typing import Final

from detectviz.contracts.commands import Command, CommandResult
from detectviz.contracts.config import get_text, get_text_map, get_texts
from detectviz.contracts.errors import DeliveryError, PluginError
from detectviz.contracts.http_answers import FailureClass, without_secrets
from detectviz.contracts.message import text_of, title_of
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.contracts.types import JsonObject, JsonValue
from detectviz.contracts.webhook_document import webhook_document

_MARGIN_S: Final = 0.2
_LARGEST_OUTPUT_BYTES: Final = 65_536
_SHOWN: Final = 2_000
# Of sysexits.h: the script asks to be tried again.
_TRY_AGAIN: Final = 75


class ScriptNotifier:
    """Runs a script; its exit status is its answer."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Run once; raise DeliveryError unless the exit status is 0."""
        if context.scripts is None:
            raise PluginError("This process runs no scripts.", permanent=True)
        document = build_document(notification)
        body = _encoded(document)
        ended = context.scripts.run(
            Command(
                program=get_text(context.config, "script"),
                arguments=get_texts(context.config, "arguments"),
                environment=get_text_map(context.config, "environment"),
                stdin=_with_secret(document, context.secrets.get("secret", "")),
                timeout_s=max(_MARGIN_S, context.timeout_s - _MARGIN_S),
                max_output_bytes=_LARGEST_OUTPUT_BYTES,
            )
        )
        _require_success(ended, context)
        return Receipt(
            answer=_shown(ended.stdout, context), request_digest=hashlib.sha256(body).hexdigest()
        )


def build_document(notification: Notification) -> JsonObject:
    """Return what the script reads: the webhook's JSON, with title, text and actions."""
    document = dict(webhook_document(notification))
    ours = document["detectviz"]
    document["detectviz"] = {
        **(ours if isinstance(ours, dict) else {}),
        "title": title_of(notification),
        "text": text_of(notification),
        "actions": [
            {"name": each.name, "title": each.title, "url": each.url}
            for each in notification.actions
        ],
    }
    return document


def _with_secret(document: JsonObject, secret: str) -> bytes:
    if not secret:
        return _encoded(document)
    ours = document["detectviz"]
    told = {**(ours if isinstance(ours, dict) else {}), "secret": secret}
    return _encoded({**document, "detectviz": told})


def _encoded(document: JsonValue) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")


def _require_success(ended: CommandResult, context: NotifierContext) -> None:
    if ended.exit_code == 0:
        return
    reason: FailureClass = "clientError"
    if ended.ended_by:
        said, reason = f"The script was ended: {ended.ended_by}.", "timeout"
    else:
        said = f"The script ended with exit status {ended.exit_code}."
        if ended.exit_code == _TRY_AGAIN:
            reason = "serverError"
    errors = _shown(ended.stderr, context)
    first = next((line.strip() for line in errors.splitlines() if line.strip()), "")
    raise DeliveryError(
        f"{said} {first}".strip(),
        reason=reason,
        permanent=reason == "clientError",
        status_code=ended.exit_code,
        answer=errors or _shown(ended.stdout, context),
    )


def _shown(data: bytes, context: NotifierContext) -> str:
    return without_secrets(data.decode("utf-8", "replace"), context.secrets)[:_SHOWN]
