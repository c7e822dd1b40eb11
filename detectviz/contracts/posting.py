"""One request of a notifier to a service's HTTP interface, and the receipt for its answer."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode, urlsplit

from detectviz.contracts.config import get_bool, get_text
from detectviz.contracts.errors import DeliveryError
from detectviz.contracts.http_answers import (
    LARGEST_ANSWER_BYTES,
    FailureClass,
    answer_text,
    fetch_answer,
    refusal,
)
from detectviz.contracts.network import HttpRequest, HttpResponse, TlsOptions
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.contracts.types import JsonObject, JsonValue

_JSON = "application/json; charset=utf-8"
_SHORTEST_SECRET = 8
_FORM = "application/x-www-form-urlencoded; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """Where a request goes. ``service`` is the name failures start with ("Slack")."""

    service: str
    url: str
    method: str = "POST"
    headers: Sequence[tuple[str, str]] = ()
    basic_auth: tuple[str, str] | None = None
    tls: TlsOptions = field(default_factory=TlsOptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One answered request. ``document`` is the answer's JSON object, empty where it is none."""

    service: str
    context: NotifierContext
    response: HttpResponse
    request_digest: str
    document: JsonObject

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx; some services say no in the body all the same."""
        return HTTPStatus.OK <= self.response.status_code < HTTPStatus.MULTIPLE_CHOICES

    def said(self, *names: str) -> str:
        """Return the first non-empty text or number among the answer's top fields ``names``."""
        values = (self.document.get(name) for name in names)
        return next((str(value) for value in values if value and not _is_nested(value)), "")

    def refusal(
        self,
        *,
        reason: FailureClass | None = None,
        says: str = "",
        retry_after_s: float | None = None,
    ) -> DeliveryError:
        """Return the failure this answer means; see ``http_answers.refusal``."""
        return refusal(
            self.response,
            service=self.service,
            now=self.context.now(),
            reason=reason,
            says=says,
            retry_after_s=retry_after_s,
            secrets=self.context.secrets,
        )

    def require_success(self, *, says: str = "", retry_after_s: float | None = None) -> None:
        """Raise the failure the status means unless it is 2xx; ``says`` are the body's words."""
        if not self.is_success:
            raise self.refusal(says=says, retry_after_s=retry_after_s)

    def receipt(self, *, external_id: str = "", thread: JsonObject | None = None) -> Receipt:
        """Return the receipt for a positive answer."""
        return Receipt(
            status_code=self.response.status_code,
            answer=answer_text(self.response, secrets=self.context.secrets),
            request_digest=self.request_digest,
            external_id=external_id,
            thread=thread or {},
        )


def send_json(context: NotifierContext, outgoing: Outgoing, document: JsonValue) -> Exchange:
    """Send ``document`` as JSON; return any answer, whatever its status.

    Raise DeliveryError when none comes in time, NetworkError when none can be asked for.
    """
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return send_bytes(context, outgoing, text.encode("utf-8", "replace"), content_type=_JSON)


def send_form(
    context: NotifierContext,
    outgoing: Outgoing,
    fields: Sequence[tuple[str, str]],
) -> Exchange:
    """Send ``fields`` as a form, names may repeat; otherwise as ``send_json``."""
    body = urlencode(fields, encoding="utf-8", errors="replace").encode("ascii")
    return send_bytes(context, outgoing, body, content_type=_FORM)


def send_bytes(
    context: NotifierContext, outgoing: Outgoing, body: bytes, *, content_type: str
) -> Exchange:
    """Send ``body`` as it is; otherwise as ``send_json``. Redirects are not followed."""
    return send(context, outgoing, body, headers=(("Content-Type", content_type),))


def send(
    context: NotifierContext,
    outgoing: Outgoing,
    body: bytes = b"",
    *,
    headers: Sequence[tuple[str, str]] = (),
    max_body_bytes: int = LARGEST_ANSWER_BYTES,
) -> Exchange:
    """Send a request, with ``headers`` before those of ``outgoing``; as ``send_bytes``."""
    request = HttpRequest(
        url=outgoing.url,
        method=outgoing.method,
        headers=(*headers, ("User-Agent", "Detectviz"), *outgoing.headers),
        body=body,
        timeout_s=context.timeout_s,
        follow_redirects=False,
        max_body_bytes=max_body_bytes,
        basic_auth=outgoing.basic_auth,
        tls=outgoing.tls,
    )
    hidden = replace(context, secrets=_with_parts(context.secrets))
    response = fetch_answer(hidden, request, service=outgoing.service)
    return Exchange(
        service=outgoing.service,
        context=hidden,
        response=response,
        request_digest=hashlib.sha256(body).hexdigest(),
        document=json_object(response.body),
    )


def incident_key(notification: Notification) -> str:
    """Return what makes notifications one incident: a digest of org, receiver and group, hex."""
    parts = (notification.org, notification.receiver, notification.group_key)
    return hashlib.sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()


def json_object(body: bytes) -> JsonObject:
    """Return ``body`` as a JSON object, empty where it is none."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def tls_of(config: JsonObject) -> TlsOptions:
    """Return the TLS options of a configuration with ``verify_tls`` and ``ca_pem``."""
    return TlsOptions(
        verify=get_bool(config, "verify_tls", default=True), ca_pem=get_text(config, "ca_pem")
    )


def seconds_in(document: JsonObject, *path: str) -> float | None:
    """Return the number at ``path`` of an answer, None where there is none."""
    value: JsonValue = document
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and isinstance(value, int | float) else None


def _with_parts(secrets: Mapping[str, str]) -> dict[str, str]:
    """Return ``secrets`` and, of those that are addresses, the parts nobody may read either."""
    found = dict(secrets)
    for name, secret in secrets.items():
        if "://" not in secret:
            continue
        parts = urlsplit(secret)
        texts = [*parts.path.split("/"), *(value for _, value in parse_qsl(parts.query))]
        found |= {
            f"{name}/{index}": text
            for index, text in enumerate(texts)
            if len(text) >= _SHORTEST_SECRET
        }
    return found


def _is_nested(value: JsonValue) -> bool:
    return isinstance(value, Mapping | list)
