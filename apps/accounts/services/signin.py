"""Recognise people by password, and slow down whoever guesses API keys."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.core.cache import cache
from django.http import HttpRequest

from apps.accounts.enums import UserKind
from apps.accounts.models import User

KEY_FAILURES = 5
ADDRESS_FAILURES = 50
FAILURES_FOR_S = 30 * 60


class PersonBackend(ModelBackend):
    """Password sign-in of active people. Service accounts have keys, never passwords."""

    def user_can_authenticate(self, user: Any) -> bool:
        """Refuse service accounts too."""
        return super().user_can_authenticate(user) and user.kind == UserKind.PERSON


def login_username(text: str) -> str:
    """Return the username for what was typed into the sign-in form: a username or an address."""
    lookup = "email__iexact" if "@" in text else "username__iexact"
    found = User.objects.filter(**{lookup: text}).values_list("username", flat=True).first()
    return found or text


def axes_username(request: HttpRequest, credentials: dict[str, str] | None) -> str:
    """Return the name django-axes counts under: spellings of one account count together."""
    given = (credentials or {}).get("username") or request.POST.get("username", "")
    return login_username(given).lower()[:150]


def key_guessing_is_blocked(*, key_id: str, address: str | None) -> bool:
    """Tell whether a key or an address has failed too often within half an hour.

    The counters live in the cache and only slow guessing down; 256 random bits are the protection.
    """
    counts = cache.get_many(list(_counters(key_id, address)))
    limits = _counters(key_id, address)
    return any(count >= limits[name] for name, count in counts.items())


def key_failure_count(*, key_id: str, address: str | None) -> None:
    """Count a failed API key."""
    for name in _counters(key_id, address):
        cache.add(name, 0, FAILURES_FOR_S)
        try:
            cache.incr(name)
        except ValueError:  # expired between the two
            cache.set(name, 1, FAILURES_FOR_S)


def _counters(key_id: str, address: str | None) -> dict[str, int]:
    return {
        f"apikey-failures:{address}:{key_id}": KEY_FAILURES,
        f"apikey-failures:{address}": ADDRESS_FAILURES,
    }
