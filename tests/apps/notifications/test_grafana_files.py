"""Grafana's alerting files: what becomes of each part, what is lost, and the way back."""

from io import StringIO
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from django.core.management import call_command

from apps.notifications.models import ContactPoint, InhibitionRule, RoutingTree
from apps.notifications.services.alertmanager.receivers import notifier_schemas
from apps.notifications.services.grafana.documents import grafana_file_read
from apps.notifications.services.grafana.export import DEFAULT_POINT, grafana_export
from apps.notifications.services.grafana.integrations import INTEGRATIONS
from apps.orgs.models import Org
from detectviz.resources.errors import InvalidFieldsError
from detectviz.resources.formats import Conversion, text_read
from detectviz.resources.manifests import manifests_apply, text_apply
from detectviz.resources.targets import Target, TargetError
from tests.factories.accounts import make_full_org

pytestmark = pytest.mark.django_db
PLATFORM = (Path(__file__).parent / "data/grafana/platform.yaml").read_text("utf-8")
SECRETS = {"xoxb-hush", "tell-no-one"}


def datasource(org: Org, *, uid: str, plugin: str = "prometheus", **more: Any) -> None:
    spec = {"title": plugin, "type": plugin, "uid": uid, "url": "http://127.0.0.1:9090", **more}
    manifest = {
        "apiVersion": "datasources/v1",
        "kind": "Datasource",
        "metadata": {"name": plugin},
        "spec": spec,
    }
    manifests_apply(org=org, actor=None, access=None, documents=[manifest])


def convert(document: Any, org: Org | None = None) -> Conversion:
    given = yaml.safe_load(document) if isinstance(document, str) else document
    found = grafana_file_read({"apiVersion": 1, **given}, Target(org=org))
    assert found is not None
    return found


def spec_of(found: Conversion, kind: str) -> Any:
    return next(each["spec"] for each in found.manifests if each["kind"] == kind)


def lost(found: Conversion) -> dict[str, str]:
    return {loss.path: loss.why for loss in found.losses}


def hidden(value: Any) -> Any:
    """Return a document with every secret as an export leaves it."""
    if isinstance(value, dict):
        return {name: hidden(each) for name, each in value.items()}
    if isinstance(value, list):
        return [hidden(each) for each in value]
    return {"set": True} if value in SECRETS else value


def test_a_whole_file_is_carried_over_and_comes_back_the_same() -> None:
    org = make_full_org()
    datasource(org, uid="PBFA97CFB590B2093")
    applied = text_apply(org=org, actor=None, access=None, text=PLATFORM)
    lines = PLATFORM.splitlines()
    assert [(loss.path, lines[loss.line - 1].strip()) for loss in applied.reading.losses] == [
        ("groups[0].rules[2].title", "title: error ratio")
    ]
    exported = grafana_export(org=org)
    assert [loss.path for loss in exported.losses] == ["groups.builtin.title", "groups"]
    text = orjson.dumps(exported.document)
    assert not any(secret.encode() in text for secret in SECRETS)
    again = text_apply(org=org, actor=None, access=None, text=text)
    assert [each.name for each in again.changes if each.action != "unchanged"] == ["builtin"]
    assert again.reading.losses == []
    first = {each["metadata"]["name"]: hidden(each) for each in applied.reading.documents}
    second = {each["metadata"]["name"]: each for each in again.reading.documents}
    builtin = second.pop("builtin")
    assert second == first
    assert {tuple(sorted(rule)) for rule in builtin["spec"]["rules"]} <= {
        ("alert", "annotations", "expr", "labels"),
        ("alert", "annotations", "expr", "for", "labels"),
    }


def test_an_export_in_json_asks_logs_and_tables_as_grafana_does() -> None:
    org = make_full_org()
    datasource(org, uid="P8E80F9AEF21F6940", plugin="loki")
    sql = {"database": "shop", "user": "reader"}
    datasource(org, uid="orders-db", plugin="postgresql", **(sql | {"url": "127.0.0.1:5432"}))
    text = (Path(__file__).parent / "data/grafana/rules.json").read_text("utf-8")
    applied = text_apply(org=org, actor=None, access=None, text=text)
    assert [loss.path for loss in applied.reading.losses] == [
        "groups[0].rules[0].data[0].model.supportingQueryType"
    ]
    group = next(each for each in applied.reading.documents if each["kind"] == "RuleGroup")
    logs, orders = group["spec"]["rules"]
    assert logs["queries"][0]["model"] == {
        "expr": 'sum by (app) (count_over_time({env="prod"} |= "error" [5m]))',
        "type": "instant",
    }
    assert orders["queries"][0]["model"] == {
        "format": "table",
        "sql": "SELECT region, count(*) AS open FROM orders WHERE is_open GROUP BY region",
    }
    exported = grafana_export(org=org).document["groups"][1]
    asked = [rule["data"][0]["model"] for rule in exported["rules"]]
    assert asked[0]["instant"] is True
    assert asked[1]["rawSql"].startswith("SELECT region")
    again = text_read(orjson.dumps({"apiVersion": 1, "groups": [exported]}), target=Target(org=org))
    assert again.documents == applied.reading.documents


RULE = """
apiVersion: 1
groups:
  - name: Web
    rules:
      - title: Down
        condition: A
        data: [{refId: A, datasourceUid: P123, relativeTimeRange: {from: 60}, model: {expr: up}}]
"""


def test_datasources_of_a_file_are_given_the_names_they_have_here() -> None:
    org = make_full_org()
    datasource(org, uid="here")
    found = text_read(RULE, target=Target(org=org))
    assert found.datasources == ["P123"]
    [loss] = found.losses
    assert (loss.path, loss.line) == ("groups[0].rules[0].data[0].datasourceUid", 8)
    assert (loss.why[-6:], "--datasource UID=NAME" in loss.cure) == ("'P123'", True)
    applied = text_apply(
        org=org,
        actor=None,
        access=None,
        text=RULE,
        datasources={"P123": "prometheus", "old": "here"},
    )
    [query] = applied.reading.documents[0]["spec"]["rules"][0]["queries"]
    assert query["datasource"] == "prometheus"
    [unasked] = applied.reading.losses
    assert unasked.sentence == "datasource: nothing in the text asks 'old'. It asks: P123."
    with pytest.raises(TargetError, match="no datasource 'gone' here to stand for 'P123'"):
        text_read(RULE, target=Target(org=org, datasources={"P123": "gone"}))


def test_policies_become_the_tree_with_the_routes_of_rules_before_them() -> None:
    org = make_full_org()
    datasource(org, uid="PBFA97CFB590B2093")
    tree = spec_of(convert(PLATFORM, org), "RoutingTree")
    assert tree["contact_point"] == "platform-on-call"
    own, orders = tree["routes"]
    assert own == {
        "contact_point": "order-desk",
        "matchers": ['contact_point="Order desk"'],
        "group_by": ["grafana_folder", "alertname"],
        "repeat_interval": "1h",
        "mute_time_intervals": ["out-of-hours"],
    }
    assert orders["matchers"] == ['team="orders"', 'severity=~"warning|critical"']
    assert orders["routes"] == [{"contact_point": "platform-on-call", "matchers": ['stage="prod"']}]


@pytest.mark.parametrize(
    "document",
    [
        {"groups": []},
        {"apiVersion": 1},
        {"apiVersion": 1, "datasources": []},
        {"apiVersion": "alerting/v1", "kind": "RuleGroup"},
        {"apiVersion": 2, "groups": []},
    ],
)
def test_what_is_no_such_file_is_left_to_others(document: dict[str, Any]) -> None:
    assert grafana_file_read(document) is None


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ("groups: {}", "groups"),
        ("groups: [{folder: a}]", "groups[0].name"),
        ("contactPoints: [{receivers: []}]", "contactPoints[0].name"),
        ("contactPoints: [a]", "contactPoints[0]"),
        ("policies: [{object_matchers: [[a, b]]}]", "policies[0].object_matchers[0]"),
        ("policies: [{object_matchers: [[a, '~', b]]}]", "policies[0].object_matchers[0]"),
        ("policies: [{matchers: ['a=']}, {}]", ""),
    ],
)
def test_what_can_not_be_understood_is_named(document: str, path: str) -> None:
    if not path:
        assert lost(convert(document)) == {"policies[1]": "an org has one tree"}
        return
    with pytest.raises(InvalidFieldsError) as caught:
        convert(document)
    assert list(caught.value.fields) == [path]


def test_refusals_and_losses_say_the_line() -> None:
    text = "apiVersion: 1\ncontactPoints:\n  - name: a\n    receivers:\n      - type: kafka\n"
    [loss] = text_read(text).losses
    assert (loss.path, loss.line) == ("contactPoints[0].receivers[0].type", 5)
    assert loss.cure == "Use a webhook to Kafka's REST proxy, or the event bus."
    with pytest.raises(InvalidFieldsError) as caught:
        text_read(text.replace("name: a", "title: a"))
    assert caught.value.fields == {"contactPoints[0].name": ["Line 3: It needs a name."]}
    document = yaml.safe_load(text)
    assert text_read(orjson.dumps(document)).formats == ["grafana"]


def test_what_would_delete_is_kept_and_said() -> None:
    found = convert(
        """
        deleteRules: [{orgId: 1, uid: abc}]
        deleteContactPoints: [{uid: cp}]
        deleteMuteTimes: [{name: nights}]
        deleteTemplates: [{name: t}]
        resetPolicies: [1]
        """
    )
    assert found.manifests == []
    assert list(lost(found)) == [
        "deleteRules[0]",
        "deleteContactPoints[0]",
        "resetPolicies[0]",
        "deleteMuteTimes[0]",
        "deleteTemplates[0]",
    ]
    assert all("never deletes" in loss.cure for loss in found.losses)


def test_entries_of_several_orgs_go_into_one_and_that_is_said() -> None:
    found = convert("muteTimes: [{orgId: 1, name: a}, {orgId: 2, name: b}]")
    assert list(lost(found)) == ["muteTimes[1].orgId"]


def test_an_empty_list_of_an_interval_means_less_there_than_here_and_that_is_said() -> None:
    times = "time_intervals: [{weekdays: [], times: null, months: [may]}]"
    found = convert(f"muteTimes: [{{name: a, {times}}}]")
    assert list(lost(found)) == ["muteTimes[0].time_intervals[0].weekdays"]


def test_what_policies_refer_to_and_nobody_has_is_left_out() -> None:
    org = make_full_org()
    policies = """
        policies:
          - receiver: grafana-default-email
            routes: [{receiver: a, mute_time_intervals: [nights, days]}]
        contactPoints: [{name: a, receivers: []}]
        muteTimes: [{name: days, time_intervals: [{weekdays: [monday]}]}]
        """
    found = convert(policies, org)
    assert spec_of(found, "RoutingTree") == {
        "routes": [{"contact_point": "a", "mute_time_intervals": ["days"]}]
    }
    assert list(lost(found)) == [
        "policies[0].receiver",
        "policies[0].routes[0].mute_time_intervals",
    ]
    manifests_apply(org=org, actor=None, access=None, documents=found.manifests)
    assert grafana_export(org=org).document["policies"][0]["receiver"] == DEFAULT_POINT
    RoutingTree.objects.for_org(org).update(root={"contact_point": "a", "resolve_timeout": "1m"})
    assert spec_of(convert(policies, org), "RoutingTree")["resolve_timeout"] == "1m"
    assert "policies.resolve_timeout" in {loss.path for loss in grafana_export(org=org).losses}


RECEIVERS: dict[str, tuple[dict[str, Any], dict[str, Any], set[str]]] = {
    "email": (
        {"addresses": "a@b.example, c@d.example"},
        {"to": ["a@b.example", "c@d.example"]},
        set(),
    ),
    "slack": (
        {
            "url": "https://hooks.slack.com/services/T/B/x",
            "username": "bot",
            "icon_emoji": ":heart:",
        },
        {"username": "bot", "icon_emoji": ":heart:"},
        {"api_url"},
    ),
    "webhook": (
        {"url": "https://a.example/", "username": "me", "password": "hush"},
        {"url": "https://a.example/", "username": "me", "auth": "basic"},
        {"password"},
    ),
    "prometheus-alertmanager": (
        {"url": "http://am.example:9093", "basicAuthUser": "me", "basicAuthPassword": "hush"},
        {"url": "http://am.example:9093", "username": "me"},
        {"password"},
    ),
    "dingding": (
        {"url": "https://oapi.dingtalk.com/robot/send?access_token=x", "msgType": "link"},
        {"message_type": "markdown"},
        {"webhook_url"},
    ),
    "discord": (
        {"url": "https://discord.com/api/webhooks/1/x", "avatar_url": "https://a.example/a.png"},
        {"avatar_url": "https://a.example/a.png"},
        {"webhook_url"},
    ),
    "googlechat": (
        {"url": "https://chat.googleapis.com/v1/spaces/A/messages", "title": "T"},
        {"title": "T", "updates": "new"},
        {"webhook_url"},
    ),
    "teams": (
        {"url": "https://a.webhook.office.com/x", "message": "M", "title": "T"},
        {"text": "M", "title": "T"},
        {"webhook_url"},
    ),
    "opsgenie": (
        {"apiKey": "k", "apiUrl": "https://api.eu.opsgenie.com/v2/alerts", "autoClose": True},
        {"api_url": "https://api.eu.opsgenie.com/"},
        {"api_key"},
    ),
    "pagerduty": (
        {"integrationKey": "k" * 32, "summary": "S", "class": "c"},
        {"description": "S", "class": "c", "severity": "critical"},
        {"routing_key"},
    ),
    "pushover": (
        {"apiToken": "t", "userKey": "u", "retry": "30", "expire": "120", "priority": "2"},
        {"retry": "30s", "expire": "2m", "priority": "2"},
        {"token", "user_key"},
    ),
    "telegram": (
        {"bottoken": "1:a", "chatid": -100, "parse_mode": "HTML"},
        {"chat_id": "-100", "parse_mode": "HTML", "updates": "new"},
        {"bot_token"},
    ),
    "victorops": (
        {"url": "https://alert.victorops.com/integrations/generic/2/alert/key/team"},
        {
            "api_url": "https://alert.victorops.com/integrations/generic/2/alert/",
            "routing_key": "team",
        },
        {"api_key"},
    ),
    "wecom": (
        {"url": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=x", "msgtype": "text"},
        {"message_type": "text"},
        {"webhook_url"},
    ),
    "sns": (
        {
            "topic_arn": "arn:aws:sns:eu-west-1:1:a",
            "sigv4": {"region": "eu-west-1", "access_key": "a", "secret_key": "s"},
        },
        {
            "topic_arn": "arn:aws:sns:eu-west-1:1:a",
            "sigv4": {"region": "eu-west-1", "access_key": "a"},
        },
        {"sigv4/secret_key"},
    ),
    "webex": (
        {"bot_token": "t", "room_id": "r"},
        {"room_id": "r", "updates": "new"},
        {"bot_token"},
    ),
    "mattermost": (
        {"url": "https://m.example/hooks/x", "channel": "town"},
        {"channel": "town", "updates": "new"},
        {"webhook_url"},
    ),
}


def test_every_type_is_carried_over_as_its_notifier_takes_it_and_comes_back() -> None:
    assert RECEIVERS.keys() == INTEGRATIONS.keys()
    org = make_full_org()
    points = [
        {"name": name, "receivers": [{"type": name, "settings": settings}]}
        for name, (settings, _, _) in RECEIVERS.items()
    ]
    found = convert({"contactPoints": points}, org)
    assert lost(found) == {}
    by_name = {each["spec"]["title"]: each["spec"]["receivers"][0] for each in found.manifests}
    for name, (_, config, secrets) in RECEIVERS.items():
        assert by_name[name]["config"] == config, name
        assert by_name[name]["secrets"].keys() == secrets, name
    manifests_apply(org=org, actor=None, access=None, documents=found.manifests)
    exported = grafana_export(org=org)
    assert {loss.path for loss in exported.losses} <= {
        "groups",
        "groups.builtin.title",
        "policies.receiver",
    }
    again = convert({"contactPoints": exported.document["contactPoints"]}, org)
    assert lost(again) == {}
    changes = manifests_apply(org=org, actor=None, access=None, documents=again.manifests)
    assert {(change.name, change.action) for change in changes} == {
        (name, "unchanged") for name in RECEIVERS
    }


def test_the_table_names_only_fields_the_notifiers_have() -> None:
    schemas = notifier_schemas()
    for name, one in INTEGRATIONS.items():
        known = set(schemas[one.notifier]["properties"])
        assert {*one.fields.values(), *one.implied} <= known, name


def test_settings_that_are_not_carried_over_are_named_with_a_cure() -> None:
    found = convert(
        """
        contactPoints:
          - name: a
            receivers:
              - {type: slack, settings: {url: 'https://h.org/', mentionUsers: U1, text: '{{end}}'}}
              - {type: email, settings: {addresses: a@b.example, singleEmail: true}}
              - type: webhook
                settings:
                  url: http://a.example/
                  authorization_scheme: Token
                  authorization_credentials: hush
                  tlsConfig: {clientKey: k}
                  message: m
              - {type: telegram, settings: {bottoken: $BOT_TOKEN, chatid: '1'}}
              - {type: threema, settings: {}}
              - {type: slack, settings: {url: '[REDACTED]'}}
              - {type: slack, settings: {url: 'https://h.example/'}, provenance: file}
        """
    )
    at = "contactPoints[0].receivers"
    assert set(lost(found)) == {
        f"{at}[0].settings.mentionUsers",
        f"{at}[0].settings.text",
        f"{at}[1].settings.singleEmail",
        f"{at}[2].settings.authorization_scheme",
        f"{at}[2].settings.tlsConfig.clientKey",
        f"{at}[2].settings.message",
        f"{at}[3].settings.bottoken",
        f"{at}[3]",
        f"{at}[4].type",
        f"{at}[5].settings.url",
        f"{at}[6].provenance",
    }
    cures = {loss.path: loss.cure for loss in found.losses}
    assert cures[f"{at}[5].settings.url"].startswith("Enter it in the file")
    assert cures[f"{at}[1].settings.singleEmail"]
    assert [each["name"] for each in spec_of(found, "ContactPoint")["receivers"]] == [
        "slack",
        "email",
        "webhook",
        "slack-2",
    ]


def test_secrets_that_an_export_hid_stay_what_they_are() -> None:
    org = make_full_org()
    settings = {"url": "https://hooks.slack.com/services/T/B/x"}
    point = {"name": "Web Chat", "receivers": [{"type": "slack", "settings": settings}]}
    document = {"contactPoints": [point]}
    manifests_apply(org=org, actor=None, access=None, documents=convert(document, org).manifests)
    settings["url"] = "[REDACTED]"
    found = convert(document, org)
    manifests_apply(org=org, actor=None, access=None, documents=found.manifests)
    assert ContactPoint.objects.for_org(org).get(name="web-chat").secrets == {
        "slack/api_url": "https://hooks.slack.com/services/T/B/x"
    }


def test_templates_get_a_name_where_they_define_none_and_wrong_ones_are_left_out() -> None:
    found = convert(
        {
            "templates": [
                {"orgID": 1, "name": "My Text", "template": "{{ len .Alerts }}"},
                {"name": "wrong", "template": "{{ nobodyKnows }}", "kind": "grafana"},
            ]
        }
    )
    [made] = found.manifests
    assert made["metadata"] == {"name": "my-text"}
    assert made["spec"]["template"] == '{{ define "My Text" }}{{ len .Alerts }}{{ end }}'
    assert list(lost(found)) == ["templates[1].kind", "templates[1].template"]


def test_what_grafana_has_no_word_for_is_said() -> None:
    org = make_full_org()
    documents = [
        {
            "apiVersion": "notifications/v1",
            "kind": "ContactPoint",
            "metadata": {"name": "other"},
            "spec": {"receivers": []},
        },
        {
            "apiVersion": "notifications/v1",
            "kind": "ContactPoint",
            "metadata": {"name": "ops"},
            "spec": {
                "fallback": "other",
                "receivers": [
                    {"notifier": "ntfy", "config": {"topic": "a"}},
                    {"notifier": "email", "config": {"to": ["a@b.example"]}, "enabled": False},
                    {
                        "notifier": "webhook",
                        "config": {"url": "http://a.example/"},
                        "secrets": {"secret": "hush-hush-hush-hush-hush-hush-hu"},
                        "title_template": "T",
                    },
                    {
                        "notifier": "discord",
                        "config": {"thread_id": "1"},
                        "secrets": {"webhook_url": "https://discord.com/api/webhooks/1/x"},
                    },
                ],
            },
        },
        {
            "apiVersion": "alerting/v1",
            "kind": "InhibitionRule",
            "metadata": {"name": "i"},
            "spec": {"source_matchers": ["a=b"], "target_matchers": ["c=d"]},
        },
    ]
    manifests_apply(org=org, actor=None, access=None, documents=documents)
    assert InhibitionRule.objects.for_org(org).count() == RoutingTree.objects.for_org(org).count()
    found = {loss.path for loss in grafana_export(org=org).losses}
    at = "contactPoints.ops.receivers"
    assert found >= {
        f"{at}[0]",
        f"{at}[1]",
        f"{at}[2].secrets.secret",
        f"{at}[2].title_template",
        f"{at}[3].config.thread_id",
        "contactPoints.ops.fallback",
        "inhibition_rules",
    }


def test_the_command_applies_a_file_and_writes_one(tmp_path: Path) -> None:
    org = make_full_org()
    (tmp_path / "first.yaml").write_text("kind: List\nitems: []\n", "utf-8")
    path = tmp_path / "grafana.yaml"
    path.write_text(PLATFORM.replace("PBFA97CFB590B2093", "nowhere"), "utf-8")
    out, told = StringIO(), StringIO()
    call_command("apply", "-f", str(tmp_path), "--org", org.name, stdout=out, stderr=told)
    assert "RuleGroup/platform-team-web-service created" in out.getvalue()
    assert (
        f"{path}, line 15: groups[0].rules[0].data[0].datasourceUid: the rule is left out"
        in told.getvalue()
    )
    out, told = StringIO(), StringIO()
    call_command("export", "--org", org.name, "--format", "grafana", stdout=out, stderr=told)
    written = yaml.safe_load(out.getvalue())
    assert [point["name"] for point in written["contactPoints"]] == [
        "Order desk",
        "Platform on call",
    ]
    out = StringIO()
    call_command("export", "--org", org.name, "--format", "prometheus", stdout=out, stderr=told)
    assert [each["name"] for each in yaml.safe_load(out.getvalue())["groups"]][1:] == [
        "Web Service",
        "Web Service",
    ]
