"""Rules and alerts as Prometheus' clients ask for them."""

from collections.abc import Iterator
from typing import Any

import pytest

from apps.alerting.api.prometheus.serializers import exponent_text
from apps.alerting.enums import AlertState
from apps.alerting.models import Alert, Rule
from apps.series.services import series_store_use
from detectviz.promql.memory_store import MemoryStore
from tests.factories.accounts import make_full_org
from tests.factories.alerting import START, make_rulegroup
from tests.factories.queries import Asker, make_asker

pytestmark = pytest.mark.django_db
RULES = (
    {"alert": "Down", "expr": "up == 0", "for": "1m", "labels": {"team": "web"}},
    {"record": "job:up:sum", "expr": "sum by (job) (up)"},
)


@pytest.fixture
def asker() -> Iterator[Asker]:
    store = MemoryStore()
    series_store_use(store)
    org = make_full_org("acme")
    make_rulegroup(org, "web", rules=RULES)
    make_rulegroup(org, "zoo", rules=RULES[1:])
    yield make_asker(org, store)
    series_store_use(None)


def names(answer: Any) -> list[tuple[str, str]]:
    groups = [each for each in answer["data"]["groups"] if each["name"] in {"web", "zoo"}]
    return [(group["name"], rule["name"]) for group in groups for rule in group["rules"]]


def fire(asker: Asker, state: AlertState) -> None:
    rule = Rule.objects.for_org(asker.org).get(name="Down", group__name="web")
    Alert.objects.create_for(
        asker.org,
        rule=rule,
        name=f"{rule.uid}-{state}",
        fingerprint=state.value[:16],
        labels={"alertname": "Down", "state": state.value},
        state=state,
        value="0",
        active_at=START,
    )


def test_groups_come_with_their_rules_and_alerts(asker: Asker) -> None:
    fire(asker, AlertState.RECOVERING)
    fire(asker, AlertState.RESOLVED)
    chosen: dict[str, Any] = {"rule_group[]": "web"}
    answer = asker.get("rules", **chosen)
    (group,) = answer["data"]["groups"]
    alerting, recording = group["rules"]
    assert (group["file"], group["interval"], group["limit"]) == ("default", 15, 0)
    assert (alerting["type"], alerting["state"], alerting["duration"]) == ("alerting", "firing", 60)
    assert alerting["labels"] == {"team": "web"}
    assert [alert["labels"]["state"] for alert in alerting["alerts"]] == ["recovering"]
    assert alerting["alerts"][0]["state"] == "firing"
    assert alerting["alerts"][0]["value"] == "0e+00"
    assert (recording["type"], recording["query"]) == ("recording", "sum by (job) (up)")
    assert asker.get("rules", exclude_alerts="true", type="alert")["data"]["groups"]
    assert asker.get("alerts")["data"]["alerts"] == alerting["alerts"]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, [("web", "Down"), ("web", "job:up:sum"), ("zoo", "job:up:sum")]),
        ({"type": "alert"}, [("web", "Down")]),
        ({"type": "record"}, [("web", "job:up:sum"), ("zoo", "job:up:sum")]),
        ({"rule_name[]": "Down"}, [("web", "Down")]),
        ({"rule_group[]": "zoo"}, [("zoo", "job:up:sum")]),
        ({"file[]": "nowhere"}, []),
        ({"match": '{team=~"w.*"}'}, [("web", "Down")]),
    ],
)
def test_rules_are_chosen(
    asker: Asker, parameters: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert names(asker.get("rules", **parameters)) == expected


def test_groups_come_page_by_page(asker: Asker) -> None:
    chosen: dict[str, Any] = {"rule_group[]": ["web", "zoo"], "group_limit": 1}
    first = asker.get("rules", **chosen)
    token = first["data"]["groupNextToken"]
    last = asker.get("rules", group_next_token=token, **chosen)
    assert names(first) + names(last) == names(asker.get("rules"))
    assert "groupNextToken" not in last["data"]


@pytest.mark.parametrize(
    "parameters",
    [
        {"type": "x"},
        {"group_limit": "0"},
        {"group_limit": "x"},
        {"group_next_token": "x"},
        {"group_limit": 1, "group_next_token": "x"},
        {"exclude_alerts": "perhaps"},
        {"match": "up("},
    ],
)
def test_bad_input_is_bad_data(asker: Asker, parameters: dict[str, Any]) -> None:
    assert asker.get("rules", status=400, **parameters)["errorType"] == "bad_data"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0e+00"),
        (1.0, "1e+00"),
        (-12.5, "-1.25e+01"),
        (1e-7, "1e-07"),
        (1e300, "1e+300"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Inf"),
    ],
)
def test_values_are_written_as_go_does(value: float, text: str) -> None:
    assert exponent_text(value) == text
