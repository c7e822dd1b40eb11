"""Answers of pages: the full page, or for HTMX the fragment that the full page includes."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django_htmx.http import HttpResponseClientRedirect, trigger_client_event
from django_htmx.middleware import HtmxDetails

_LONGEST_NUMBER = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Pager:
    """Where in a list a page stands; ``components/pagination.html`` shows it."""

    number: int
    per_page: int
    count: int

    @classmethod
    def of(cls, query: QueryDict, *, count: int, per_page: int) -> "Pager":
        """Return the place ``?page=`` asks for; an impossible one is the nearest there is."""
        text = query.get("page", "1")
        wanted = int(text) if text.isdecimal() and len(text) < _LONGEST_NUMBER else 1
        last = max(1, -(-count // per_page))
        return cls(number=min(max(wanted, 1), last), per_page=per_page, count=count)

    @property
    def offset(self) -> int:
        """How many rows stand before this page."""
        return (self.number - 1) * self.per_page

    @property
    def first(self) -> int:
        """The first row, counted from one."""
        return self.offset + 1

    @property
    def last(self) -> int:
        """The last row."""
        return min(self.offset + self.per_page, self.count)

    @property
    def previous(self) -> int:
        """The page before, 0 on the first."""
        return self.number - 1

    @property
    def following(self) -> int:
        """The page after, 0 on the last."""
        return self.number + 1 if self.last < self.count else 0


class PageRequest(HttpRequest):
    """A request that has passed the middlewares of django-htmx and django-csp."""

    htmx: HtmxDetails
    csp_nonce: object  # becomes text, and part of the policy, when it is first used


def wants_fragment(request: HttpRequest) -> bool:
    """Return whether HTMX asks for a part, not for a page it will put in place of this one."""
    htmx: HtmxDetails | None = getattr(request, "htmx", None)
    return htmx is not None and bool(htmx) and not (htmx.boosted or htmx.history_restore_request)


def render_page(
    request: HttpRequest, template: str, page: Any, *, fragment: str = "", status: int = 200
) -> HttpResponse:
    """Render ``template`` around ``page``, or only ``fragment`` where HTMX asked for a part.

    The template must include the fragment, so that both can never differ.
    """
    chosen = fragment if fragment and wants_fragment(request) else template
    response = render(request, chosen, {"page": page}, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def go_to(request: HttpRequest, target: str, *, said: str = "") -> HttpResponse:
    """Redirect to a URL after a write, telling ``said`` as a toast on the next page."""
    if said:
        messages.success(request, said)
    if wants_fragment(request):
        return HttpResponseClientRedirect(target)
    return redirect(target)


def toast(response: HttpResponse, text: str, *, level: str = "success") -> HttpResponse:
    """Make the page say ``text`` when HTMX receives ``response``."""
    return trigger_client_event(response, "toast", {"text": text, "level": level})
