from typing import cast

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.test import RequestFactory
from django_htmx.middleware import HtmxDetails

from apps.accounts.models import User
from apps.orgs.models import Org
from detectviz.resources.errors import ConflictError
from detectviz.web.pages import PageRequest
from detectviz.web.scope import OrgScope, org_page
from tests.factories.accounts import make_member, make_user
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db


@org_page("monitors:update")
def page(request: PageRequest, scope: OrgScope, *, fails: bool = False) -> HttpResponse:
    """Stand for any page of an org."""
    if fails:
        raise ConflictError("It changed meanwhile; reload the page.")
    return HttpResponse(scope.org_title)


def asked_by(user: User | AnonymousUser, *, is_htmx: bool = False) -> PageRequest:
    headers = {"HX-Request": "true"} if is_htmx else {}
    request = cast("PageRequest", RequestFactory().get("/o/acme/things", headers=headers))
    request.user = user
    request.htmx = HtmxDetails(request)
    return request


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


def test_a_member_with_the_permission_gets_the_page(acme: Org) -> None:
    answer = page(asked_by(make_member(acme, "olga", "operator")), org="acme")
    assert isinstance(answer, HttpResponse)
    assert answer.content == b"Acme"


def test_a_member_without_the_permission_is_refused_by_its_name(acme: Org) -> None:
    viewer = make_member(acme, "vera", "viewer")
    with pytest.raises(PermissionDenied, match="monitors:update"):
        page(asked_by(viewer), org="acme")


def test_a_stranger_and_an_unknown_org_get_the_same_answer(acme: Org) -> None:
    stranger = make_user("sam")
    for name in ("acme", "nowhere"):
        with pytest.raises(Http404, match="Not found"):
            page(asked_by(stranger), org=name)


def test_an_inactive_org_is_not_there(acme: Org) -> None:
    member = make_member(acme, "olga", "operator")
    Org.objects.update(is_active=False)
    with pytest.raises(Http404):
        page(asked_by(member), org="acme")


def test_who_is_not_signed_in_is_led_to_the_sign_in_page_and_back(acme: Org) -> None:
    answer = page(asked_by(AnonymousUser()), org="acme")
    assert answer.status_code == 302
    assert answer["Location"] == "/login?next=/o/acme/things"


def test_a_fragment_asked_for_after_the_session_ended_is_a_401(acme: Org) -> None:
    assert page(asked_by(AnonymousUser(), is_htmx=True), org="acme").status_code == 401


def test_a_domain_error_becomes_a_toast_for_htmx_and_a_page_otherwise(acme: Org) -> None:
    member = make_member(acme, "olga", "operator")
    fragment = page(asked_by(member, is_htmx=True), org="acme", fails=True)
    assert (fragment.status_code, "changed meanwhile" in fragment["HX-Trigger"]) == (409, True)
    whole = page(asked_by(member), org="acme", fails=True)
    assert isinstance(whole, HttpResponse)
    assert (whole.status_code, b"changed meanwhile" in whole.content) == (409, True)
