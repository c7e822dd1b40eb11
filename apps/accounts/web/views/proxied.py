"""Sessions begun by what a proxy said end when it says something else."""

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import logout
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.accounts.services.identities import proxied_user

SESSION_KEY = "signed_in_by_proxy"


class ProxiedSessionMiddleware:
    """Ends a session whose person is not, or no longer, the proxy's; not there without plugins."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        if not settings.AUTH_PLUGINS:
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Serve the request, perhaps as nobody."""
        has_session = settings.SESSION_COOKIE_NAME in request.COOKIES
        if has_session and request.session.get(SESSION_KEY):
            user = proxied_user(request)
            if user is None or user.pk != request.user.pk:
                logout(request)
        return self.get_response(request)
