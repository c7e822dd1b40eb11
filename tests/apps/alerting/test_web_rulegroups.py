from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.alerting.models import RuleGroup
from apps.alerting.services.builtin import builtin_create
from apps.orgs.models import Org
from apps.series.services import series_store_use
from detectviz.tsdb.opening import open_store
from tests.factories.monitors import START
from tests.factories.orgs import make_org
from tests.factories.pages import HTMX, make_browser

pytestmark = pytest.mark.django_db
LIST, NEW, ONE = "/o/acme/rules", "/o/acme/rules/new", "/o/acme/rules/g/web"
FORM = {
    "name": "web",
    "title": "Web shop",
    "interval": "30s",
    "~rules": "",
    "rules/3/kind": "alert",
    "rules/3/name": "HomeDown",
    "rules/3/expr": 'probe_success{monitor="home"} == 0',
    "rules/3/for": "10s",
    "~rules/3/enabled": "",
    "rules/3/enabled": "true",
    "~rules/3/labels": "",
    "rules/3/labels/0/key": "severity",
    "rules/3/labels/0/value": "critical",
    "~rules/3/annotations": "",
    "rules/3/annotations/0/key": "summary",
    "rules/3/annotations/0/value": "{{ $labels.monitor }} is down",
}


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


@pytest.fixture
def own_store(tmp_path: Path) -> Iterator[None]:
    series_store_use(open_store("", data_dir=tmp_path))
    yield
    series_store_use(None)


def stored(org: Org) -> RuleGroup:
    group: RuleGroup = RuleGroup.objects.for_org(org).get()
    return group


def test_an_org_without_rules_is_offered_the_built_in_ones(acme: Org) -> None:
    browser = make_browser(acme)
    assert "Restore built-in rules" in browser.get(LIST).content.decode()
    answer = browser.post(f"{LIST}/restore-builtin")
    assert answer["Location"] == "/o/acme/rules/g/builtin"
    assert "MonitorDown" in browser.get("/o/acme/rules/g/builtin").content.decode()


def test_the_list_has_a_query_budget_and_a_part_of_its_own(
    acme: Org, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    builtin_create(org=acme, now=START)
    browser = make_browser(acme)
    with django_assert_max_num_queries(12):
        whole = browser.get(LIST).content.decode()
    part = browser.get(LIST, headers=HTMX).content.decode().strip()
    assert part in whole


def test_a_submitted_form_becomes_a_group(acme: Org) -> None:
    answer = make_browser(acme).post(NEW, FORM)
    assert answer["Location"] == ONE
    assert stored(acme).spec_rules == [
        {
            "alert": "HomeDown",
            "expr": 'probe_success{monitor="home"} == 0',
            "for": "10s",
            "labels": {"severity": "critical"},
            "annotations": {"summary": "{{ $labels.monitor }} is down"},
        }
    ]


def test_a_recording_rule_keeps_its_kind(acme: Org) -> None:
    form = {key: value for key, value in FORM.items() if "/for" not in key and "annot" not in key}
    form |= {"rules/3/kind": "record", "rules/3/name": "job:up:sum", "rules/3/expr": "sum(up)"}
    make_browser(acme).post(NEW, form)
    assert stored(acme).spec_rules[0]["record"] == "job:up:sum"


@pytest.mark.parametrize(
    ("change", "field", "told"),
    [
        ({"rules/3/expr": "sum("}, "f-rules-0-expr", "Expression"),
        ({"rules/3/name": ""}, "f-rules-0-name", "Name"),
        ({"rules/3/for": "soon"}, "f-rules-0-for", "For"),
        ({"interval": "never"}, "f-interval", "Interval"),
    ],
)
def test_an_error_stands_at_its_field(
    acme: Org, change: dict[str, str], field: str, told: str
) -> None:
    answer = make_browser(acme).post(NEW, {**FORM, **change})
    html = answer.content.decode()
    assert answer.status_code == 422
    assert f'<a href="#{field}">{told}</a>' in html
    assert not RuleGroup.objects.for_org(acme).exists()


def test_the_stored_group_comes_back_in_the_form(acme: Org) -> None:
    browser = make_browser(acme)
    browser.post(NEW, FORM)
    html = browser.get(f"{ONE}/edit").content.decode()
    assert 'value="HomeDown"' in html
    assert 'value="critical"' in html
    browser.post(f"{ONE}/edit", {**FORM, "title": "Shop"})
    assert stored(acme).title == "Shop"


def test_a_group_is_switched_off_and_stays_off_when_edited(acme: Org) -> None:
    browser = make_browser(acme)
    browser.post(NEW, FORM)
    browser.post(f"{ONE}/enable", {"enabled": "false"})
    browser.post(f"{ONE}/edit", {**FORM, "title": "Shop"})
    assert (stored(acme).title, stored(acme).is_enabled) == ("Shop", False)


def test_deleting_leads_back_to_the_list(acme: Org) -> None:
    browser = make_browser(acme)
    browser.post(NEW, FORM)
    assert browser.post(f"{ONE}/delete")["Location"] == LIST
    assert not RuleGroup.objects.for_org(acme).exists()


@pytest.mark.usefixtures("own_store")
def test_a_preview_draws_the_chosen_rule_and_its_threshold(acme: Org) -> None:
    form = {**FORM, "rules/4/expr": "vector(7) > 5", "preview": "rules/4"}
    html = make_browser(acme).post(f"{LIST}/preview", form, headers=HTMX).content.decode()
    assert "Holds now for one series" in html
    assert "&gt; 5" in html
    assert "data-inline" in html


@pytest.mark.usefixtures("own_store")
def test_a_preview_says_what_is_wrong(acme: Org) -> None:
    form = {**FORM, "rules/3/expr": "sum(", "preview": "rules/3"}
    html = make_browser(acme).post(f"{LIST}/preview", form, headers=HTMX).content.decode()
    assert "It can&#x27;t be evaluated" in html or "It can't be evaluated" in html
    assert "expr:" in html


def test_a_viewer_reads_and_changes_nothing(acme: Org) -> None:
    builtin_create(org=acme, now=START)
    browser = make_browser(acme, "viewer")
    assert browser.get("/o/acme/rules/g/builtin").status_code == 200
    assert browser.get("/o/acme/rules/g/builtin/edit").status_code == 403
    assert browser.post("/o/acme/rules/g/builtin/delete").status_code == 403


POLICIES = {
    "rules/3/recovery_expr": "probe_success == 1",
    "rules/3/missing_series_evaluations": "3",
    "rules/3/limit": "20",
    "rules/3/low_flap_threshold": "20",
    "rules/3/high_flap_threshold": "50",
    "~rules/3/hold_while_flapping": "",
    "rules/3/hold_while_flapping": "true",
    "rules/3/depends_on": "- RouterDown\n- {group: network, equal: [site]}",
}
WRITTEN = {
    "recovery_expr": "probe_success == 1",
    "missing_series_evaluations": 3,
    "limit": 20,
    "low_flap_threshold": 20,
    "high_flap_threshold": 50,
    "hold_while_flapping": True,
    "depends_on": ["RouterDown", {"group": "network", "equal": ["site"]}],
}


def test_how_alerts_end_flap_and_depend_is_asked_in_groups_and_kept(acme: Org) -> None:
    browser = make_browser(acme)
    empty = browser.get(NEW).content.decode()
    for title in ("When data is missing", "Recovery", "Flapping", "Depends on"):
        assert f"<summary>{title}</summary>" in empty
    assert browser.post(NEW, {**FORM, **POLICIES}).status_code == 302
    group = stored(acme)
    (rule,) = group.spec_rules
    assert {name: rule[name] for name in WRITTEN} == WRITTEN
    shown = browser.get(f"{ONE}/edit").content.decode()
    assert "- RouterDown" in shown
    detail = browser.get(ONE).content.decode()
    assert "from 50 % until 20 %" in detail
    assert "RouterDown" in detail


def test_a_form_without_policies_writes_none(acme: Org) -> None:
    assert make_browser(acme).post(NEW, FORM).status_code == 302
    assert not stored(acme).spec_rules[0].keys() & WRITTEN.keys()


def test_a_dependency_in_a_circle_is_told_at_its_field(acme: Org) -> None:
    form = {**FORM, "rules/3/depends_on": "- HomeDown"}
    answer = make_browser(acme).post(NEW, form)
    assert answer.status_code == 422
    assert "HomeDown → HomeDown" in answer.content.decode()
