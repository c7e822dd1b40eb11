"""What an HTTP answer says about a delivery: success, or the typed failure it means.

Failure classes are Alertmanager's where it has them. Secrets of the context are taken out of all
that a service said and of all that a failure tells.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final, Literal
from urllib.parse import quote, quote_plus

from detectviz.contracts.errors import DeadlineExceededError, DeliveryError, NetworkError
from detectviz.contracts.masking import MASK
from detectviz.contracts.network import HttpRequest, HttpResponse
from detectviz.contracts.notifier import NotifierContext

FailureClass = Literal["clientError", "serverError", "authError", "rateLimited", "timeout"]

LARGEST_ANSWER_BYTES: Final = 65_536
_KEPT_CHARACTERS: Final = 2_000
_SHORTEST_SECRET: Final = 4
_LONGEST_WAIT_S: Final = 86_400.0
_AGAIN_LATER: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})
_REFUSED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_PERMANENT: Final[frozenset[FailureClass]] = frozenset({"clientError", "authError"})
_WORDS: Final[Mapping[FailureClass, str]] = {
    "authError": "it wants other credentials; check authentication and secrets",
    "clientError": "it refuses the request; check the settings of the contact point",
    "rateLimited": "too many requests; it is tried again later",
    "serverError": "it failed; it is tried again",
    "timeout": "it did not answer in time; it is tried again",
}


def fetch_success(context: NotifierContext, request: HttpRequest, *, service: str) -> HttpResponse:
    """Return the 2xx answer to ``request``; raise what anything else means.

    ``service`` is the name messages start with ("Slack"). DeliveryError for an answer that is no
    success and for none within the time; NetworkError, its secrets taken out, where none could
    be asked for.
    """
    response = fetch_answer(context, request, service=service)
    require_success(response, service=service, now=context.now(), secrets=context.secrets)
    return response


def fetch_answer(context: NotifierContext, request: HttpRequest, *, service: str) -> HttpResponse:
    """Return any answer to ``request``, for services whose status says little; else as above."""
    try:
        return context.http.fetch(request)
    except DeadlineExceededError as error:
        message = f"{service} did not answer within {context.timeout_s:g} s."
        raise DeliveryError(message, reason="timeout") from error
    except NetworkError as error:
        said = without_secrets(error.message, context.secrets)
        if said == error.message:
            raise
        raise NetworkError(said, phase=error.phase, permanent=error.permanent) from None


def require_success(
    response: HttpResponse,
    *,
    service: str,
    now: datetime,
    secrets: Mapping[str, str] | None = None,
) -> None:
    """Raise the DeliveryError that ``response`` means, unless its status is 2xx."""
    if HTTPStatus.OK <= response.status_code < HTTPStatus.MULTIPLE_CHOICES:
        return
    raise refusal(response, service=service, now=now, secrets=secrets)


def refusal(
    response: HttpResponse,
    *,
    service: str,
    now: datetime,
    reason: FailureClass | None = None,
    says: str = "",
    retry_after_s: float | None = None,
    secrets: Mapping[str, str] | None = None,
) -> DeliveryError:
    """Return the failure that ``response`` means.

    Give ``reason`` where the body says it (a service that answers 200 to everything), ``says``
    for the service's own words in it, ``retry_after_s`` where it asks for a wait elsewhere than
    in the header Retry-After.
    """
    status = response.status_code
    found: FailureClass = reason or failure_class(status)
    words = says or _words(status, found, is_given=reason is not None)
    asked = retry_after_s if retry_after_s is not None else retry_after(response, now)
    return DeliveryError(
        without_secrets(f"{service} answered {status}: {words.rstrip('.')}.", secrets or {}),
        reason=found,
        permanent=found in _PERMANENT,
        status_code=status,
        answer=answer_text(response, secrets=secrets),
        retry_after_s=None if asked is None else min(max(asked, 0.0), _LONGEST_WAIT_S),
    )


def failure_class(status: int) -> FailureClass:
    """Return the class of an HTTP status that is no success."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "rateLimited"
    if status in _REFUSED:
        return "authError"
    if status in _AGAIN_LATER or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "serverError"
    return "clientError"


def answer_text(response: HttpResponse, *, secrets: Mapping[str, str] | None = None) -> str:
    """Return the start of the body, readable whatever it is, without ``secrets``."""
    # The secrets go first: one that is cut in two would be found no more.
    whole = response.body.decode("utf-8", "replace")
    return without_secrets(whole, secrets or {})[:_KEPT_CHARACTERS]


def retry_after(response: HttpResponse, now: datetime) -> float | None:
    """Return the seconds the header Retry-After asks for (number or date), at most a day."""
    value = response.header("Retry-After")
    if value is None:
        return None
    try:
        seconds = float(value) if _is_number(value) else _seconds_until(value, now)
    except ValueError:
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT_S)


def without_secrets(text: str, secrets: Mapping[str, str]) -> str:
    """Return ``text`` with every secret masked, also as it is written in addresses.

    One of fewer than four characters is left: it would take apart words and hide nothing.
    """
    known = (secret for secret in secrets.values() if len(secret) >= _SHORTEST_SECRET)
    for secret in sorted(known, key=len, reverse=True):
        for written in {secret, quote(secret), quote(secret, safe=""), quote_plus(secret)}:
            text = text.replace(written, MASK)
    return text


def _words(status: int, reason: FailureClass, *, is_given: bool) -> str:
    if not is_given and status == HTTPStatus.GONE:
        return "it asks never to be called again; remove it"
    if not is_given and status < HTTPStatus.BAD_REQUEST:
        return "redirects are not followed; set the final URL"
    return _WORDS[reason]


def _is_number(value: str) -> bool:
    text = value.strip()
    return text.isascii() and text.replace(".", "", 1).isdigit()


def _seconds_until(value: str, now: datetime) -> float:
    at = parsedate_to_datetime(value)
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return (aware - now).total_seconds()
