"""Links of notifications and buttons of chats."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt

from apps.oncall.selectors import callback_by_uid
from apps.oncall.services.callbacks import link_act, link_alerts
from apps.oncall.services.chat import ReplayedError, TooManyError, callback_receive
from apps.oncall.services.links import TITLES, Link, LinkError, link_read, silence_form_url
from detectviz.clock import utc_now
from detectviz.contracts.presses import Received, SignatureError, UnreadableError
from detectviz.permissions.access import access_of

MOST_BYTES = 256 * 1024
_PAGE = "oncall/act.html"
_STATUS = {SignatureError: 401, UnreadableError: 400, ReplayedError: 409, TooManyError: 429}


@csrf_exempt  # the token is the credential; a session only leads from looking to the form
def act(request: HttpRequest, token: str) -> HttpResponse:
    """Show what a link would do; do it only when the button is pressed.

    Whatever looks at links in messages on its own (previews, scanners) changes nothing. Who is
    signed in and may silence comes to the form, with what it would mute.
    """
    if request.method not in {"GET", "HEAD", "POST"}:
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    try:
        link = link_read(token)
        if request.method != "POST":
            asked = _asked(link)
            if asked["form"] and _may_silence(request, link):
                return _unkept(redirect(asked["form"]))
            return _page(request, asked)
        said = link_act(link=link, now=utc_now())
    except LinkError as error:
        return _page(request, {"problem": str(error)}, status=410)
    return _page(request, {"said": said})


@csrf_exempt  # chat services have no session; what they send is signed
def callback(request: HttpRequest, uid: str) -> HttpResponse:
    """Take which button somebody pressed, and answer as the service expects."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    door = callback_by_uid(uid)
    if door is None or len(request.body) > MOST_BYTES:
        return HttpResponse("There is no such door.\n", status=404, content_type="text/plain")
    headers = {name.lower(): value for name, value in request.headers.items()}
    received = Received(body=request.body, headers=headers)
    try:
        answer = callback_receive(callback=door, request=received, now=utc_now())
    except (SignatureError, UnreadableError, ReplayedError, TooManyError) as error:
        return HttpResponse(f"{error}\n", status=_STATUS[type(error)], content_type="text/plain")
    return JsonResponse(answer)


def _asked(link: Link) -> dict[str, Any]:
    alerts = link_alerts(link)
    if not alerts:
        raise LinkError("What this was about is over.")
    names = sorted({one.labels.get("alertname", one.fingerprint) for one in alerts})
    form = silence_form_url(link) if link.action == "silence" else ""
    return {"title": TITLES[link.action], "names": names, "count": len(alerts), "form": form}


def _may_silence(request: HttpRequest, link: Link) -> bool:
    return access_of(request.user, link.delivery.org).allows_somewhere("silences:create")


def _page(request: HttpRequest, page: dict[str, Any], status: int = 200) -> HttpResponse:
    return _unkept(render(request, _PAGE, {"page": page}, status=status))


def _unkept(answer: HttpResponse) -> HttpResponse:
    answer["Cache-Control"] = "no-store"
    answer["Referrer-Policy"] = "no-referrer"
    return answer
