"""Alertmanager's API v2 on an org."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
import yaml
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.alerting.models import Alert
from apps.notifications.models import AlertGroup, InhibitionRule, RoutedAlert, TimeInterval
from apps.notifications.selectors import routing_tree_get
from apps.notifications.services.configuration import contact_point_write, routing_tree_write
from apps.notifications.services.dispatch import dispatch
from apps.notifications.services.silences import SilenceDraft, silence_write
from apps.orgs.models import Org
from detectviz.clock import utc_now
from tests.factories.accounts import make_api_key, make_bound_member, make_full_org

pytestmark = pytest.mark.django_db
ALERT = {"labels": {"alertname": "Down", "job": "web"}, "annotations": {"summary": "It is."}}


@pytest.fixture
def org() -> Org:
    org = make_full_org()
    hook = {"notifier": "webhook", "config": {"url": "http://127.0.0.1:9/"}, "secrets": {}}
    for name in ("ops", "web"):
        contact_point_write(org=org, name=name, title="", receivers=[hook], instance=None)
    root = {
        "contact_point": "ops",
        "group_by": ["alertname"],
        "routes": [{"contact_point": "web", "matchers": ['job="web"']}],
    }
    routing_tree_write(org=org, name="default", root=root, instance=routing_tree_get(org=org))
    return org


@pytest.fixture
def api(org: Org) -> "Api":
    return Api(org, "admin")


class Api:
    """A program with a key."""

    def __init__(self, org: Org, role: str) -> None:
        user = make_bound_member(org, f"{role}-person", role)
        self._headers = {"Authorization": f"Bearer {make_api_key(org, user, name=role).token}"}
        self._client = Client()

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        answer = self.ask("GET", path, query=query)
        assert answer.status_code == 200, answer.content
        return orjson.loads(answer.content)

    def ask(
        self, method: str, path: str, body: Any = None, query: Mapping[str, Any] | None = None
    ) -> Any:
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        return self._client.generic(
            method,
            f"/orgs/acme/alertmanager/{path}",
            b"" if body is None else raw,
            "application/json",
            headers=self._headers,
            query_params=query,
        )

    def post_alerts(self, *alerts: Any) -> None:
        answer = self.ask("POST", "api/v2/alerts", list(alerts))
        assert (answer.status_code, answer.content) == (200, b"")
        dispatch(now=utc_now())

    def names(self, **query: Any) -> Sequence[str]:
        return sorted(each["labels"]["alertname"] for each in self.get("api/v2/alerts", query))


def test_an_alert_that_is_posted_is_listed_as_alertmanager_lists_it(api: Api) -> None:
    api.post_alerts({**ALERT, "generatorURL": "http://prometheus/graph"})
    (alert,) = api.get("api/v2/alerts")
    for name in ("startsAt", "endsAt", "updatedAt"):
        assert abs(datetime.fromisoformat(alert.pop(name)) - datetime.now(UTC)) < timedelta(
            minutes=6
        )
    assert alert == {
        **ALERT,
        "fingerprint": RoutedAlert.all_orgs.get().fingerprint,
        "receivers": [{"name": "web"}],
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []},
        "generatorURL": "http://prometheus/graph",
    }


def test_an_alert_that_is_posted_is_on_the_pages_and_in_rest(api: Api, org: Org) -> None:
    api.post_alerts(ALERT)
    listed = Client(headers=api._headers)
    answer = listed.get("/apis/alerting/v1/orgs/acme/alerts").json()["items"]
    assert [(each["state"], each["status"]["origin"]) for each in answer] == [
        ("firing", "external")
    ]
    assert answer[0]["status"]["sender"] == "admin-person"
    page = Client()
    page.force_login(make_bound_member(org, "viewer-person", "viewer"))
    assert b"external" in page.get("/o/acme/alerts").content
    name = Alert.all_orgs.get().name
    assert b"Sent by" in page.get(f"/o/acme/alerts/{name}").content
    rules = listed.get("/orgs/acme/prometheus/api/v1/alerts").json()
    assert rules["data"] == {"alerts": []}


def test_groups_list_what_is_told_together(api: Api) -> None:
    api.post_alerts(
        {"labels": {"alertname": "B", "job": "db"}},
        {"labels": {"alertname": "A", "job": "db", "i": "2"}},
        {"labels": {"alertname": "A", "job": "db", "i": "1"}},
        {"labels": {"alertname": "A", "job": "web"}},
    )
    found = api.get("api/v2/alerts/groups")
    assert [
        (
            group["labels"],
            group["receiver"],
            [alert["labels"].get("i") for alert in group["alerts"]],
        )
        for group in found
    ] == [
        ({"alertname": "A"}, {"name": "ops"}, ["1", "2"]),
        ({"alertname": "A"}, {"name": "web"}, [None]),
        ({"alertname": "B"}, {"name": "ops"}, [None]),
    ]
    assert found[0]["routeLabels"] == {}
    names = [group["receiver"]["name"] for group in api.get("api/v2/alerts/groups?receiver=w.b")]
    assert names == ["web"]


def test_filters_choose_by_labels_and_receivers(api: Api) -> None:
    api.post_alerts(
        {"labels": {"alertname": "A", "job": "db"}}, {"labels": {"alertname": "B", "job": "web"}}
    )
    assert api.names() == ["A", "B"]
    assert api.names(filter='job="db"') == ["A"]
    assert api.names(filter=['job=~"d.|w.b"', 'alertname!="A"']) == ["B"]
    assert api.names(receiver="ops") == ["A"]
    assert api.names(receiver="op") == []
    assert api.names(receiver_matchers='name=~"w.*"') == ["B"]
    assert api.names(active="false") == []


def test_silenced_and_inhibited_alerts_are_told_apart(api: Api, org: Org) -> None:
    now = utc_now()
    draft = SilenceDraft(
        matcher_sets=[['alertname="A"']], starts_at=now, ends_at=now + timedelta(hours=1)
    )
    silence = silence_write(org=org, name="s", draft=draft, instance=None, actor=None, now=now)
    InhibitionRule.objects.create_for(
        org, name="i", source_matchers=['alertname="C"'], target_matchers=['alertname="B"']
    )
    api.post_alerts(*({"labels": {"alertname": name}} for name in "ABC"))
    statuses = {each["labels"]["alertname"]: each["status"] for each in api.get("api/v2/alerts")}
    source = RoutedAlert.all_orgs.get(labels__alertname="C").fingerprint
    assert statuses["A"]["silencedBy"][0].replace("-", "").startswith(silence.uid)
    assert statuses["B"]["inhibitedBy"] == [source]
    assert [statuses[name]["state"] for name in "ABC"] == ["suppressed", "suppressed", "active"]
    assert api.names(silenced="false") == ["B", "C"]
    assert api.names(inhibited="false") == ["A", "C"]
    assert api.names(active="false") == ["A", "B"]


def test_groups_of_a_muted_route_are_muted(api: Api, org: Org) -> None:
    TimeInterval.objects.create_for(org, name="always", intervals=[{"years": ["1970:2200"]}])
    tree = routing_tree_get(org=org)
    assert tree is not None
    root = {**tree.root, "routes": [{"matchers": ["a=b"], "mute_time_intervals": ["always"]}]}
    routing_tree_write(org=org, name="default", root=root, instance=tree)
    api.post_alerts({"labels": {"alertname": "A", "a": "b"}}, {"labels": {"alertname": "B"}})
    muted, free = api.get("api/v2/alerts/groups")
    assert muted["alerts"][0]["status"] == {
        "state": "suppressed",
        "silencedBy": [],
        "inhibitedBy": [],
        "mutedBy": ["always"],
    }
    assert free["alerts"][0]["status"]["state"] == "active"
    assert len(api.get("api/v2/alerts/groups?muted=false")) == 1


def test_a_resolved_alert_is_not_listed(api: Api) -> None:
    api.post_alerts(ALERT)
    api.post_alerts({**ALERT, "endsAt": utc_now().isoformat()})
    assert api.names() == []


def test_receivers_are_the_contact_points(api: Api) -> None:
    assert api.get("api/v2/receivers") == [
        {"name": "ops", "labels": {"name": "ops"}},
        {"name": "web", "labels": {"name": "web"}},
    ]
    assert len(api.get('api/v2/receivers?receiver_matchers=name="ops"')) == 1


def test_the_status_shows_the_configuration(api: Api) -> None:
    status = api.get("api/v2/status")
    assert status["cluster"] == {"status": "disabled", "peers": []}
    assert set(status["versionInfo"]) == {
        "version",
        "revision",
        "branch",
        "buildUser",
        "buildDate",
        "goVersion",
    }
    original = yaml.safe_load(status["config"]["original"])
    assert original["route"]["routes"] == [{"receiver": "web", "matchers": ['job="web"']}]
    assert [receiver["name"] for receiver in original["receivers"]] == ["ops", "web"]


GOOD = {"labels": {"a": "b"}}


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 400, "parsing alerts body"),
        ({}, 400, "parsing alerts body"),
        ([1], 400, 'parsing alerts body from \\"\\" failed, because [0] must be an object'),
        ([GOOD, []], 400, "[1] must be an object, not list"),
        ([{}], 422, "0.labels in body is required"),
        ([GOOD, {"labels": None}], 422, "1.labels in body is required"),
        ([GOOD, {"labels": ["a"]}], 400, "[1].labels must be an object of texts, not list"),
        ([GOOD, {"labels": {"a": 1}}], 400, "[1].labels: 'a' must be a text, not number"),
        ([{**GOOD, "annotations": {"a": None}}], 400, "[0].annotations: 'a' must be a text, not"),
        ([GOOD, {**GOOD, "generatorURL": 7}], 400, "[1].generatorURL must be a text"),
        ([{**GOOD, "startsAt": "yesterday"}], 400, "[0].startsAt: parsing time 'yesterday'"),
        ([{**GOOD, "endsAt": "2026-01-01T00:00:00"}], 400, "it is no RFC 3339 with a zone"),
        ([{**GOOD, "endsAt": "2026-01-01T00:00:00." + "0" * 99 + "Z"}], 400, "RFC 3339"),
        ([{"labels": {}}], 400, "at least one label pair required"),
    ],
)
def test_what_is_no_alert_is_refused(api: Api, body: Any, status: int, words: str) -> None:
    answer = api.ask("POST", "api/v2/alerts", body)
    assert answer.status_code == status
    assert words in answer.content.decode()


def test_go_s_zero_times_mean_none(api: Api) -> None:
    zero = "0001-01-01T00:00:00Z"
    api.post_alerts({**ALERT, "startsAt": "2026-01-02T03:04:05.123456789Z", "endsAt": zero})
    assert api.get("api/v2/alerts")[0]["startsAt"] == "2026-01-02T03:04:05.123Z"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("alerts?filter=a", "no matcher"),
        ("alerts?receiver=(", "failed to parse receiver param"),
        ("alerts/groups?receiver_matchers=a", "failed to parse receiver_matchers param"),
        ("receivers?receiver_matchers=a", "failed to parse receiver_matchers param"),
    ],
)
def test_a_wrong_filter_is_refused(api: Api, path: str, words: str) -> None:
    answer = api.ask("GET", f"api/v2/{path}")
    assert answer.status_code == 400
    assert words in orjson.loads(answer.content)


def test_the_removed_api_says_so(api: Api) -> None:
    answer = api.ask("GET", "api/v1/alerts")
    assert answer.status_code == 410
    assert orjson.loads(answer.content)["status"] == "deprecated"


def test_it_is_healthy_and_ready(api: Api) -> None:
    assert api.ask("GET", "-/healthy").content == b"OK"
    assert api.ask("GET", "-/ready").status_code == 200


def test_a_viewer_sends_no_alerts(org: Org) -> None:
    assert Api(org, "viewer").ask("POST", "api/v2/alerts", [ALERT]).status_code == 403


def test_a_method_there_is_not_is_named(api: Api) -> None:
    answer = api.ask("DELETE", "api/v2/alerts")
    assert (answer.status_code, answer["Allow"]) == (405, "GET,HEAD,OPTIONS,POST")


def test_listing_costs_as_many_queries_for_many_alerts_as_for_one(api: Api) -> None:
    api.post_alerts(ALERT)
    with CaptureQueriesContext(
        connection,
    ) as one:
        api.get("api/v2/alerts")
    api.post_alerts(*({"labels": {"alertname": f"A{number}"}} for number in range(20)))
    with CaptureQueriesContext(connection) as many:
        api.get("api/v2/alerts")
    assert len(many) == len(one)
    assert AlertGroup.all_orgs.count() == 21


def silence(**fields: Any) -> dict[str, Any]:
    now = utc_now()
    return {
        "matchers": [{"name": "alertname", "value": "A", "isRegex": False, "isEqual": True}],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
        "createdBy": "me",
        "comment": "calm",
        **fields,
    }


def test_a_silence_is_made_shown_changed_and_ended(api: Api) -> None:
    made = orjson.loads(api.ask("POST", "api/v2/silences", silence()).content)
    uuid = made["silenceID"]
    (listed,) = api.get("api/v2/silences")
    assert listed == api.get(f"api/v2/silence/{uuid}")
    assert (listed["id"], listed["status"], listed["annotations"]) == (
        uuid,
        {"state": "active"},
        {},
    )
    assert listed["matchers"] == silence()["matchers"]
    changed = {**listed, "comment": "calmer"}
    assert orjson.loads(api.ask("POST", "api/v2/silences", changed).content) == made
    assert api.get(f"api/v2/silence/{uuid}")["comment"] == "calmer"
    assert api.ask("DELETE", f"api/v2/silence/{uuid}").status_code == 200
    assert api.get(f"api/v2/silence/{uuid}")["status"] == {"state": "expired"}
    assert api.get("api/v2/silences?expired=false") == []


def test_silences_are_filtered_by_their_matchers(api: Api) -> None:
    api.ask("POST", "api/v2/silences", silence())
    assert len(api.get("api/v2/silences", {"filter": 'alertname="A"'})) == 1
    assert api.get("api/v2/silences", {"filter": 'alertname=~"A"'}) == []


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 422, "matchers in body is required"),
        (silence(matchers=[]), 422, "at least 1 items"),
        (silence(endsAt="2020-01-01T00:00:00Z"), 400, "start time must be before end time"),
        (
            silence(startsAt="2020-01-01T00:00:00Z", endsAt="2020-01-02T00:00:00Z"),
            400,
            "end time can't be in the past",
        ),
        (
            silence(matchers=[{"name": "a", "value": "", "isRegex": False}]),
            400,
            "at least one matcher must not match the empty string",
        ),
        (silence(id="00000000-0000-0000-0000-000000000000"), 404, "silence not found"),
        (silence(id="x"), 422, "must be of type uuid"),
    ],
)
def test_a_wrong_silence_is_refused(api: Api, body: Any, status: int, words: str) -> None:
    answer = api.ask("POST", "api/v2/silences", body)
    assert (answer.status_code, words in answer.content.decode()) == (status, True)


def test_a_silence_there_is_not_is_an_empty_404(api: Api) -> None:
    answer = api.ask("GET", "api/v2/silence/00000000-0000-0000-0000-000000000000")
    assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z"),
        ("2026-01-02T03:04:05.1Z", "2026-01-02T03:04:05.100Z"),
        ("2026-01-02T05:04:05.123456789+02:00", "2026-01-02T03:04:05.123Z"),
    ],
)
def test_times_are_shown_in_milliseconds_of_utc(api: Api, said: str, shown: str) -> None:
    api.post_alerts({**ALERT, "startsAt": said, "generatorURL": 'http://p/?q="a"'})
    (alert,) = api.get("api/v2/alerts")
    assert (alert["startsAt"], alert["generatorURL"]) == (shown, 'http://p/?q="a"')
