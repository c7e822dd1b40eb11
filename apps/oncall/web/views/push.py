"""Web push: the browser's worker, and its subscription as one of somebody's contact methods."""

from pathlib import Path

from django.contrib.staticfiles import finders
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_POST, require_safe

from apps.oncall.services.subscriptions import subscription_register
from detectviz.clock import utc_now
from detectviz.resources.errors import InvalidFieldsError
from detectviz.web.pages import PageRequest, go_to
from detectviz.web.scope import OrgScope, org_page

_WORKER = "js/push-worker.js"
_FIELDS = ("endpoint", "p256dh", "auth")
_LONGEST = 2048


@require_safe
@cache_control(max_age=3600)
def push_worker(request: HttpRequest) -> HttpResponse:
    """Answer the worker's script at an address that never changes, as browsers fetch it again."""
    found = finders.find(_WORKER)
    if not found:
        raise Http404
    return HttpResponse(Path(str(found)).read_bytes(), content_type="text/javascript")


@require_POST
@org_page()
def push_register(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Take this browser's subscription and send a test there."""
    subscription = {name: request.POST.get(name, "")[:_LONGEST] for name in _FIELDS}
    if missing := [name for name, text in subscription.items() if not text]:
        raise InvalidFieldsError({missing[0]: ["The browser gave no subscription."]})
    result = subscription_register(
        org=scope.org,
        user=scope.user,
        subscription=subscription,
        user_agent=request.headers.get("User-Agent", ""),
        now=utc_now(),
    )
    said = (
        "You are told in this browser. A test is on its way."
        if result.is_delivered
        else f"This browser is not used yet, as the test failed: {result.message}"
    )
    return go_to(request, reverse("oncall:preference-edit", args=[scope.org.name]), said=said)
