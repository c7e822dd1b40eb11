"""Django for programs: requests with a key and no cookie, without what only browsers need."""

from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler
from django.utils.module_loading import import_string


class KeyedHandler(WSGIHandler):
    """Runs ``KEYED_MIDDLEWARE``: no sessions, messages, CSRF tokens or policies for pages.

    What is left out takes longer than the answer to a small query. Middlewares with hooks for
    views have no place here. A request without a valid key is nobody's, and refused by the door.
    """

    def load_middleware(self, is_async: bool = False) -> None:  # noqa: FBT001, FBT002 - Django's own signature
        """Build the chain."""
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        inner = self._get_response  # type: ignore[attr-defined]  # Django's types leave it out
        handler = convert_exception_to_response(inner)
        for path in reversed(settings.KEYED_MIDDLEWARE):
            with suppress(MiddlewareNotUsed):
                handler = convert_exception_to_response(import_string(path)(handler))
        self._middleware_chain = handler


def is_keyed(environ: dict[str, object]) -> bool:
    """Tell whether a WSGI request can only be a program's."""
    return "HTTP_AUTHORIZATION" in environ and "HTTP_COOKIE" not in environ
