import pytest
from pytest_django import DjangoAssertNumQueries

from apps.alerting.models import Alert, AlertEvent, RuleGroup
from apps.alerting.services.builtin import builtin_create
from apps.orgs.models import Org
from tests.factories.monitors import START
from tests.factories.orgs import make_org
from tests.factories.pages import HTMX, make_browser

pytestmark = pytest.mark.django_db
LIST = "/o/acme/alerts"


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


@pytest.fixture
def group(acme: Org) -> RuleGroup:
    return builtin_create(org=acme, now=START)


def make_alert(group: RuleGroup, name: str, state: str = "firing") -> Alert:
    rule = group.rules.all()[0]
    alert: Alert = Alert.objects.create_for(
        group.org,
        rule=rule,
        name=name,
        fingerprint=name,
        labels={"alertname": "MonitorDown", "monitor": name},
        annotations={"summary": f"{name} is down"},
        state=state,
        value="0",
        active_at=START,
        fired_at=START,
    )
    return alert


def test_calm_is_said_and_leads_to_the_rules(acme: Org) -> None:
    html = make_browser(acme).get(LIST).content.decode()
    assert "Nothing is firing" in html
    assert 'href="/o/acme/rules"' in html


def test_firing_stands_before_pending_and_resolved_is_on_its_own_tab(
    acme: Org, group: RuleGroup
) -> None:
    make_alert(group, "first", "pending")
    make_alert(group, "second", "firing")
    make_alert(group, "third", "resolved")
    browser = make_browser(acme)
    html = browser.get(LIST).content.decode()
    assert html.index("second is down") < html.index("first is down")
    assert "third is down" not in html
    assert "third is down" in browser.get(f"{LIST}?state=resolved").content.decode()


def test_the_list_has_a_query_budget_and_a_part_of_its_own(
    acme: Org, group: RuleGroup, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for index in range(30):
        make_alert(group, f"m{index}")
    browser = make_browser(acme)
    with django_assert_max_num_queries(14):
        whole = browser.get(LIST).content.decode()
    part = browser.get(LIST, headers=HTMX).content.decode().strip()
    assert part.startswith('<div id="alerts"')
    assert part in whole


def test_one_alert_shows_labels_annotations_and_history(acme: Org, group: RuleGroup) -> None:
    alert = make_alert(group, "home")
    AlertEvent.objects.create_for(
        acme,
        group_name="builtin",
        rule_name="MonitorDown",
        fingerprint=alert.fingerprint,
        labels=alert.labels,
        previous="pending",
        state="firing",
        value="0",
        at=START,
    )
    html = make_browser(acme).get(f"{LIST}/home").content.decode()
    assert "home is down" in html
    assert "monitor=home" in html
    assert "from pending" in html


def test_an_unknown_and_a_foreign_alert_are_not_there(acme: Org) -> None:
    globex = make_org("globex")
    make_alert(builtin_create(org=globex, now=START), "secret")
    browser = make_browser(acme, "admin")
    assert browser.get(f"{LIST}/secret").status_code == 404
    assert browser.get("/o/globex/alerts/secret").status_code == 404


def test_the_link_of_a_notification_leads_to_the_alert_and_who_was_told(
    acme: Org, group: RuleGroup
) -> None:
    alert = make_alert(group, "first")
    Alert.objects.for_org(acme).filter(pk=alert.pk).update(fingerprint="00000000000000aa")
    html = make_browser(acme).get(f"{LIST}/00000000000000aa").content.decode()
    assert "first is down" in html
    assert 'hx-get="/o/acme/deliveries/for/00000000000000aa/"' in html


def test_the_alerts_of_a_monitor_and_of_a_rule_are_one_link_away_and_lead_back(
    acme: Org, group: RuleGroup
) -> None:
    make_alert(group, "home")
    other = make_alert(group, "other", "pending")
    uid = group.rules.all()[0].uid
    Alert.objects.for_org(acme).filter(pk=other.pk).update(rule=group.rules.all()[1])
    browser = make_browser(acme)
    of_monitor = browser.get(f"{LIST}?monitor=home").content.decode()
    of_rule = browser.get(f"{LIST}?rule={uid}").content.decode()
    for html in (of_monitor, of_rule):
        assert "home is down" in html
        assert "other is down" not in html
        assert 'Active <span class="num">1</span>' in html
    assert 'href="/o/acme/alerts?monitor=home&amp;state=firing"' in of_monitor
    assert f'href="/o/acme/rules/g/builtin#rule-{uid}"' in of_rule
    assert f'href="/o/acme/rules/g/builtin#rule-{uid}"' in browser.get(f"{LIST}/home").text
    rules = browser.get("/o/acme/rules/g/builtin").content.decode()
    assert f'id="rule-{uid}"' in rules
    assert f'href="/o/acme/alerts?rule={uid}"' in rules


def test_a_monitors_page_shows_its_alerts_with_who_has_them(acme: Org, group: RuleGroup) -> None:
    make_alert(group, "home")
    make_alert(group, "other")
    alert_acknowledged = {"action": "acknowledge", "comment": ""}
    browser = make_browser(acme)
    browser.post(f"{LIST}/home/handle", alert_acknowledged)
    html = browser.get(f"{LIST}/for/home/").content.decode()
    assert 'href="/o/acme/alerts/home"' in html
    assert "Acknowledged by" in html
    assert "other" not in html
    assert "No alert of this monitor is active" in browser.get(f"{LIST}/for/nothing/").text


def test_a_bulk_action_stays_within_the_monitor_looked_at(acme: Org, group: RuleGroup) -> None:
    make_alert(group, "home")
    make_alert(group, "other")
    asked = {"action": "acknowledge", "alert": ["home"], "monitor": "home"}
    html = make_browser(acme).post(f"{LIST}/bulk", asked).content.decode()
    assert "Acknowledged by" in html
    assert "other is down" not in html
