import pytest
from django.test import Client

from apps.notifications.models import ContactPoint, RoutingTree
from apps.orgs.models import Org
from tests.factories.orgs import make_org
from tests.factories.pages import HTMX, make_browser

pytestmark = pytest.mark.django_db
TREE = "/o/acme/routing"
TEXT = """
contact_point: ops
group_by: [alertname]
routes:
  - matchers: ['team="web"']
    contact_point: web
"""


@pytest.fixture
def acme() -> Org:
    org = make_org("acme")
    for name in ("ops", "web"):
        ContactPoint.objects.create_for(org, name=name, receivers=[])
    RoutingTree.objects.create_for(org, name="default", root={"contact_point": "ops"})
    return org


@pytest.fixture
def admin(acme: Org) -> Client:
    return make_browser(acme, "admin")


def test_the_tree_is_shown_with_what_it_inherits(admin: Client) -> None:
    answer = admin.post(f"{TREE}/edit", {"tree": TEXT})
    assert answer["Location"] == TREE
    html = admin.get(TREE).content.decode()
    assert "Every alert" in html
    assert "team=&quot;web&quot;" in html
    assert "grouped by alertname" in html


def test_labels_are_explained(admin: Client) -> None:
    admin.post(f"{TREE}/edit", {"tree": TEXT})
    asked = f"{TREE}/explain?labels=alertname%3DDown+team%3Dweb"
    html = admin.get(asked, headers=HTMX).content.decode()
    assert "<strong>web</strong>" in html
    assert "<strong>ops</strong>" not in html


def test_labels_that_are_none_are_told_by_name(admin: Client) -> None:
    html = admin.get(f"{TREE}/explain?labels=nonsense", headers=HTMX).content.decode()
    assert "Labels: write name=value" in html


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("contact_point: nobody", "contact_point"),
        ("routes: [{matchers: ['=']}]", "routes.0.matchers"),
        ("group_wait: soon", "group_wait"),
        ("[unclosed", "no YAML"),
        ("just words", ""),
    ],
)
def test_an_error_names_its_place_in_the_tree_and_keeps_the_text(
    admin: Client, acme: Org, text: str, told: str
) -> None:
    answer = admin.post(f"{TREE}/edit", {"tree": text})
    html = answer.content.decode()
    assert answer.status_code == 422
    assert told in html
    assert 'id="f-tree-error"' in html
    assert RoutingTree.objects.for_org(acme).get().root == {"contact_point": "ops"}


def test_a_stale_edit_is_refused(admin: Client) -> None:
    admin.post(f"{TREE}/edit", {"tree": TEXT, "resource_version": "1"})
    assert admin.post(f"{TREE}/edit", {"tree": TEXT, "resource_version": "1"}).status_code == 422


def test_an_operator_reads_the_tree_and_may_not_change_it(acme: Org) -> None:
    browser = make_browser(acme, "operator")
    assert browser.get(TREE).status_code == 200
    assert browser.get(f"{TREE}/edit").status_code == 403


def test_the_log_of_deliveries_begins_empty_and_says_why(acme: Org) -> None:
    html = make_browser(acme, "viewer").get("/o/acme/deliveries").content.decode()
    assert "each notification is listed here" in html
