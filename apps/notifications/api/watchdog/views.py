"""The door that receivers of a watchdog's alert call back."""

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.views.decorators.csrf import csrf_exempt

from apps.notifications.services.watchdogs import watchdog_echo
from detectviz.clock import utc_now


@csrf_exempt  # the signed token of the round is the credential, no session is looked at
def echo(request: HttpRequest, org: str, token: str) -> HttpResponse:
    """Take a receiver's word that a watchdog's alert arrived."""
    if request.method not in {"GET", "HEAD", "POST"}:
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    is_proof = watchdog_echo(org=org, token=token, now=utc_now())
    said = "Thank you.\n" if is_proof else "There is no such round, or it is over.\n"
    return HttpResponse(said, status=200 if is_proof else 404, content_type="text/plain")
