"""What an HTTP answer says about a delivery."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from detectviz.contracts.errors import DeliveryError
from detectviz.contracts.network import HttpResponse

_KEPT_CHARACTERS = 2_000
_LONGEST_WAIT_S = 86_400.0
_AGAIN_LATER = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY)


def answer_text(response: HttpResponse) -> str:
    """Return the start of the body, readable whatever it is."""
    return response.body[:_KEPT_CHARACTERS].decode("utf-8", "replace")


def require_success(response: HttpResponse, *, now: datetime) -> None:
    """Raise the DeliveryError that ``response`` means, unless its status is 2xx."""
    status = response.status_code
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return
    message, reason, permanent = _meaning(status)
    raise DeliveryError(
        f"The webhook answered {status}: {message}",
        reason=reason,
        permanent=permanent,
        status_code=status,
        answer=answer_text(response),
        retry_after_s=_retry_after_s(response.header("Retry-After"), now),
    )


def _meaning(status: int) -> tuple[str, str, bool]:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "too many requests; it is tried again later.", "rateLimited", False
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return "it wants other credentials; check authentication and secrets.", "authError", True
    if status == HTTPStatus.GONE:
        return "it asks never to be called again; remove it.", "clientError", True
    if status in _AGAIN_LATER:
        return "it asks to try again.", "serverError", False
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "it failed; it is tried again.", "serverError", False
    if status >= HTTPStatus.BAD_REQUEST:
        return "it refuses the request; check the URL and method.", "clientError", True
    return "redirects are not followed; set the final URL.", "clientError", True


def _retry_after_s(value: str | None, now: datetime) -> float | None:
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return min(float(value), _LONGEST_WAIT_S)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max((aware - now).total_seconds(), 0.0), _LONGEST_WAIT_S)
