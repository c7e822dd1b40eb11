"""``alertmanager.yml``: what becomes of each field, and the way back."""

from typing import Any

import pytest
import yaml

from apps.notifications.models import ContactPoint, InhibitionRule, TimeInterval
from apps.notifications.selectors import routing_tree_get
from apps.notifications.services.alertmanager.documents import alertmanager_file_to_manifests
from apps.notifications.services.alertmanager.export import alertmanager_export
from apps.orgs.models import Org
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.configuration import validate
from detectviz.resources.errors import InvalidFieldsError
from detectviz.resources.formats import Conversion
from detectviz.resources.manifests import manifests_apply
from detectviz.testing.plugins import built_in_plugins
from tests.factories.accounts import make_full_org

pytestmark = pytest.mark.django_db


def convert(text: str) -> Conversion:
    found = alertmanager_file_to_manifests(yaml.safe_load(text))
    assert found is not None
    return found


def spec_of(found: Conversion, kind: str) -> Any:
    return next(each["spec"] for each in found.manifests if each["kind"] == kind)


def lost(found: Conversion) -> dict[str, str]:
    return {loss.path: loss.why for loss in found.losses}


def apply(org: Org, document: Any) -> None:
    manifests_apply(org=org, actor=None, access=None, documents=[document])


def test_what_is_no_such_file_is_left_to_others() -> None:
    assert alertmanager_file_to_manifests({"groups": []}) is None
    assert alertmanager_file_to_manifests({"route": {}, "kind": "x"}) is None


def test_routes_become_the_tree() -> None:
    found = convert(
        """
        route:
          receiver: Web Hook
          group_by: ['...']
          group_wait: 10s
          routes:
            - match: {team: web}
              match_re: {env: "p.*"}
              matchers: 'a=b,c!~"d,e"'
              continue: true
              labels: {owner: me}
            - receiver: web-hook
              group_by: []
              repeat_interval: 1h
        receivers: [{name: Web Hook}, {name: web-hook}]
        """
    )
    assert spec_of(found, "RoutingTree") == {
        "contact_point": "web-hook",
        "group_by": ["..."],
        "group_wait": "10s",
        "routes": [
            {
                "matchers": ['team="web"', 'env=~"p.*"', 'a="b"', 'c!~"d,e"'],
                "continue": True,
            },
            {"contact_point": "web-hook-2", "group_by": [], "repeat_interval": "1h"},
        ],
    }
    assert lost(found) == {
        "receivers[0].name": "becomes web-hook; the title keeps it as written",
        "receivers[1].name": "becomes web-hook-2; the title keeps it as written",
        "route.routes[0].labels": "labels of routes have no counterpart",
    }


def test_a_webhook_keeps_who_signs_in_and_whom_it_trusts() -> None:
    found = convert(
        """
        route: {receiver: a}
        receivers:
          - name: a
            webhook_configs:
              - url: http://x/
                max_alerts: 5
                timeout: 3s
                http_config:
                  authorization: {credentials: token}
                  tls_config: {insecure_skip_verify: true, ca_file: /ca}
                  proxy_url: http://proxy
        """
    )
    assert spec_of(found, "ContactPoint")["receivers"] == [
        {
            "notifier": "webhook",
            "config": {"url": "http://x/", "max_alerts": 5, "auth": "bearer", "verify_tls": False},
            "secrets": {"bearer_token": "token"},
            "send_resolved": True,
        }
    ]
    prefix = "receivers[0].webhook_configs[0]"
    assert lost(found) == {
        f"{prefix}.timeout": "every attempt has 15 s",
        f"{prefix}.http_config.tls_config.ca_file": "files are not read; enter the value",
        f"{prefix}.http_config.proxy_url": "the notifier has no such setting",
    }


def test_mails_keep_their_people_and_lose_their_server() -> None:
    found = convert(
        """
        global: {smtp_smarthost: "mail:25", smtp_from: me@example.org, resolve_timeout: 5m}
        route: {receiver: a}
        receivers:
          - name: a
            email_configs:
              - to: a@example.org, b@example.org
                headers: {Cc: c@example.org, Subject: hello}
                html: "{{ x }}"
        """
    )
    assert spec_of(found, "ContactPoint")["receivers"] == [
        {
            "notifier": "email",
            "config": {"to": ["a@example.org", "b@example.org"], "cc": ["c@example.org"]},
            "secrets": {},
            "send_resolved": False,
        }
    ]
    assert set(lost(found)) == {
        "global.smtp_smarthost",
        "global.smtp_from",
        "receivers[0].email_configs[0].headers.Subject",
        "receivers[0].email_configs[0].html",
    }


def test_services_take_their_defaults_from_global() -> None:
    found = convert(
        """
        global: {slack_api_url: "https://hooks.slack.com/x"}
        route: {receiver: a}
        receivers:
          - name: a
            slack_configs: [{channel: "#ops", http_config: {proxy_url: "http://p"}}]
            pagerduty_configs: [{routing_key: key, severity: critical}]
            telegram_configs: [{bot_token: "1:a", chat_id: -100}]
        """
    )
    slack, pagerduty, telegram = spec_of(found, "ContactPoint")["receivers"]
    assert slack["config"] == {"channel": "#ops"}
    assert slack["secrets"] == {"api_url": "https://hooks.slack.com/x"}
    assert slack["send_resolved"] is False
    assert pagerduty["secrets"] == {"routing_key": "key"}
    assert telegram["config"] == {"chat_id": "-100", "updates": "new"}
    assert set(lost(found)) == {"receivers[0].slack_configs[0].http_config.proxy_url"}


EVERY_SERVICE = """
route: {receiver: all}
receivers:
- name: all
  slack_configs:
  - api_url: https://hooks.slack.com/services/T/B/x
    color: '{{ if eq .Status "firing" }}danger{{ else }}good{{ end }}'
    actions: [{type: button, text: Runbook, url: 'https://x.example/', confirm: {text: Sure}}]
    fields: [{title: a, value: b, short: true}]
  - api_url: https://slack.com/api/chat.postMessage
    channel: '#ops'
    http_config: {authorization: {credentials: xoxb-1}}
    update_message: true
  pagerduty_configs:
  - routing_key: key
    details: {a: b}
    links: [{href: 'https://x.example', text: t}]
    images: [{src: 'https://x.example/a.png'}]
  telegram_configs: [{bot_token: '1:a', chat_id: -1001, message_thread_id: 5, parse_mode: ''}]
  discord_configs: [{webhook_url: 'https://discord.com/api/webhooks/1/a'}]
  msteams_configs: [{webhook_url: 'https://x.example/a', summary: s}]
  msteamsv2_configs: [{webhook_url: 'https://x.example/b'}]
  opsgenie_configs: [{api_key: k, responders: [{type: team, name: x}], details: {a: b}}]
  pushover_configs: [{user_key: u, token: t, retry: 1m, expire: 1h}]
  wechat_configs: [{api_secret: s, corp_id: c, agent_id: 1, to_user: a}]
  victorops_configs: [{api_key: k, routing_key: r, custom_fields: {a: b}}]
  webex_configs: [{room_id: r, http_config: {authorization: {credentials: token}}}]
  sns_configs:
  - topic_arn: arn:aws:sns:us-east-1:1:t
    sigv4: {region: us-east-1, access_key: A, secret_key: S, role_arn: r}
    attributes: {a: b}
  rocketchat_configs: [{token: t, token_id: i, channel: '#a', actions: [{text: a}]}]
  mattermost_configs: [{webhook_url: 'https://m.example/hooks/x', text: hi}]
"""


def test_every_service_is_carried_over_as_its_notifier_takes_it() -> None:
    found = convert(EVERY_SERVICE)
    receivers = spec_of(found, "ContactPoint")["receivers"]
    plugins = built_in_plugins()
    for each in receivers:
        schema = plugins.manifest(PluginKind.NOTIFIER, each["notifier"]).config_schema
        assert validate(schema, each["config"], each["secrets"]).problems == ()
    assert set(lost(found)) == {"receivers[0].sns_configs[0].sigv4.role_arn"}
    bot = receivers[1]
    assert bot["config"]["app_url"] == "https://slack.com/api/chat.postMessage"
    assert bot["secrets"] == {"app_token": "xoxb-1"}


def test_what_a_field_left_out_means_there_is_written_out() -> None:
    receivers = spec_of(convert(EVERY_SERVICE), "ContactPoint")["receivers"]
    implied = {each["notifier"]: each["config"] for each in receivers}
    assert implied["wecom"]["message_type"] == "text"
    assert implied["victorops"]["message_type"] == "CRITICAL"
    assert implied["pagerduty"]["severity"] == "error"
    assert "}}2{{" in implied["pushover"]["priority"]


def test_what_has_no_counterpart_is_named_with_its_reason() -> None:
    found = convert(
        """
        global: {resolve_timeout: 10m, http_config: {follow_redirects: false}}
        route: {receiver: a}
        receivers: [{name: a, jira_configs: [{project: x}], labels: {owner: me}}]
        templates: [/etc/alertmanager/*.tmpl]
        """
    )
    assert lost(found) == {
        "receivers[0].jira_configs": "there is no notifier for this integration",
        "receivers[0].labels": "labels of receivers have no counterpart",
        "global.http_config": "connections are made by the deployment's rules",
        "templates[0]": "write the templates of /etc/alertmanager/*.tmpl as NotificationTemplate "
        "manifests",
    }


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("route: 1", "route"),
        ("{route: {}, receivers: 1}", "receivers"),
        ("{route: {}, receivers: [1]}", "receivers[0]"),
        ("{route: {}, receivers: [{}]}", "receivers[0].name"),
        ("{route: {routes: 1}}", "route.routes"),
        ("{route: {routes: [{matchers: ['!']}]}}", "route.routes[0].matchers"),
        ("{route: {}, inhibit_rules: [{source_match: 1}]}", "inhibit_rules[0].source_match"),
    ],
)
def test_what_can_not_be_read_is_named_by_its_path(text: str, path: str) -> None:
    with pytest.raises(InvalidFieldsError) as refused:
        convert(text)
    assert list(refused.value.fields) == [path]


def test_the_way_back_is_the_same_file_without_secrets() -> None:
    org = make_full_org()
    document = yaml.safe_load(
        """
        global: {resolve_timeout: 10m}
        route:
          receiver: ops
          group_by: [alertname]
          routes:
            - receiver: web
              matchers: ['team="web"']
              mute_time_intervals: [nights]
        receivers:
          - name: ops
            webhook_configs:
              - send_resolved: true
                http_config: {basic_auth: {username: me, password: hush}}
                url: http://127.0.0.1:9/
          - name: web
            slack_configs: [{send_resolved: true, channel: '#web', api_url: 'https://x.example/'}]
        inhibit_rules:
          - source_matchers: ['severity="page"']
            target_matchers: ['severity="warn"']
            equal: [host]
        time_intervals:
          - name: nights
            time_intervals: [{weekdays: ['monday:friday'], months: []}]
        """
    )
    converted = alertmanager_file_to_manifests(document)
    assert converted is not None
    assert "time_intervals[0].time_intervals[0].months" in {one.path for one in converted.losses}
    apply(org, document)
    del document["time_intervals"][0]["time_intervals"][0]["months"]
    assert {point.name for point in ContactPoint.objects.for_org(org)} == {"ops", "web"}
    assert InhibitionRule.objects.for_org(org).count() == TimeInterval.objects.for_org(org).count()
    exported = alertmanager_export(org=org)
    hidden = document["receivers"]
    hidden[0]["webhook_configs"][0]["http_config"]["basic_auth"]["password"] = "<secret>"
    hidden[1]["slack_configs"][0]["api_url"] = "<secret>"
    shown = dict(exported.document)
    shown["receivers"][0]["webhook_configs"][0].pop("max_alerts", None)
    assert shown == document
    apply(org, exported.document)
    assert ContactPoint.objects.for_org(org).get(name="ops").secrets["webhook/password"] == "hush"


def test_an_org_without_contact_points_exports_a_receiver_that_is_nobody() -> None:
    org = make_full_org()
    assert alertmanager_export(org=org).document["receivers"] == [{"name": "nobody"}]
    assert routing_tree_get(org=org) is not None
