"""Escalation policies on pages: the form and the text are two views of one spec."""

from typing import Any

import pytest

from apps.oncall.models import EscalationPolicy
from apps.orgs.models import Org
from tests.factories.accounts import make_bound_member, make_full_org
from tests.factories.notifications import make_point
from tests.factories.pages import make_browser

pytestmark = pytest.mark.django_db
NEW = "/o/acme/escalation/new"
YAML = "steps:\n- wait: 1m\n  targets:\n  - user: ann\n"


@pytest.fixture
def browser() -> Any:
    org = make_full_org("acme")
    make_bound_member(org, "ann", "viewer")
    return make_browser(org, "admin")


def policies() -> Any:
    return EscalationPolicy.objects.across_orgs(reason="there is one org")


def form(**more: str) -> dict[str, str]:
    return {
        "view": "form",
        "name": "first-line",
        "title": "First line",
        "repeat": "2",
        "~steps": "",
        "~steps/0/targets": "",
        "steps/0/targets/0/target": "user:ann",
        "steps/0/wait": "10m",
        **more,
    }


def test_a_form_makes_a_policy_and_shows_it_again(browser: Any) -> None:
    answer = browser.post(NEW, form())
    assert (answer.status_code, answer.headers["Location"]) == (
        302,
        "/o/acme/escalation/p/first-line",
    )
    policy = policies().get()
    assert policy.steps == [{"targets": [{"user": "ann"}], "wait": "10m"}]
    assert policy.repeat == 2
    shown = browser.get("/o/acme/escalation/p/first-line/edit").content.decode()
    assert '<option value="user:ann" selected' in shown
    assert 'value="10m"' in shown


def test_what_is_typed_goes_along_from_view_to_view(browser: Any) -> None:
    text = browser.post(NEW, form(show="yaml")).content.decode()
    assert "wait: 10m" in text
    assert "user: ann" in text
    back = {"view": "yaml", "show": "form", "text": YAML, "name": "first-line"}
    page = browser.post(NEW, back).content.decode()
    assert '<option value="user:ann" selected' in page
    assert 'value="1m"' in page
    assert not policies().exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"steps/0/wait": "8w"}, "At most a week."),
        ({"name": "First Line"}, "lowercase"),
        ({"steps/0/targets/0/target": "user:bob"}, "bob"),
        ({"view": "yaml", "text": "steps: ["}, "Not valid YAML"),
        ({"view": "yaml", "text": "[]"}, "Must be one object"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_lost(
    browser: Any, change: dict[str, str], said: str
) -> None:
    answer = browser.post(NEW, form(**change))
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert change.get("text", "First line") in answer.content.decode()
    assert not policies().exists()


def test_the_text_saves_too(browser: Any) -> None:
    answer = browser.post(NEW, {"view": "yaml", "name": "night", "text": YAML})
    assert answer.status_code == 302
    assert policies().get().steps[0]["wait"] == "1m"


def test_a_contact_point_names_the_policies_that_tell_it_and_stays(browser: Any) -> None:
    org = Org.objects.get(name="acme")
    make_point(org, "pager")
    make_point(org, "desk", fallback="pager")
    text = "steps:\n- wait: 1m\n  targets:\n  - contact_point: pager\n"
    browser.post(NEW, {"view": "yaml", "name": "night", "text": text})
    page = browser.get("/o/acme/contact-points/c/pager").content.decode()
    assert "/o/acme/escalation/p/night" in page
    assert "/o/acme/contact-points/c/desk" in page
    refused = browser.post("/o/acme/contact-points/c/pager/delete")
    assert refused.status_code == 409
    assert "told by escalation policies: night" in refused.content.decode()
