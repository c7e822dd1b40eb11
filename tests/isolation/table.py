"""The rows the registry cannot make: pages, doors of programs, discovery, Django admin.

A new page needs a row here; ``_look`` for a page without a form, ``_form`` for one with,
``_button`` for what answers POST only. Write what the page is meant to take, not what it takes.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from detectviz.permissions.table import PLATFORM_PERMISSIONS
from tests.isolation.manifests import SHARED
from tests.isolation.rule import DONE, MEMBER, Rule

NOBODY = min(PLATFORM_PERMISSIONS)  # what no role of an org can hold


def _look(*needed: str, **more: Any) -> Rule:
    return Rule(door="page", methods=dict.fromkeys(("GET", "HEAD", "POST"), needed), **more)


def _form(read: tuple[str, ...], write: tuple[str, ...], **more: Any) -> Rule:
    methods = {"GET": read, "HEAD": read, "POST": (*read, *write)}
    return Rule(door="page", methods=methods, **more)


def _button(*needed: str, **more: Any) -> Rule:
    return Rule(door="page", methods={"POST": needed}, **more)


def _rest(*read: str, **more: Any) -> Rule:
    return Rule(door="rest", methods={"GET": read, "HEAD": read}, **more)


def _push(*also: str, **more: Any) -> Rule:
    methods = {**dict.fromkeys(("POST", *also), ("series:create",)), "OPTIONS": (MEMBER,)}
    return Rule(door="kind", methods=methods, allowed=DONE | {413, 415}, **more)


def _ask(*needed: str, is_form: bool = False, **more: Any) -> Rule:
    """One address of Prometheus' API; what needs parameters answers 400 without them."""
    methods = ("GET", "HEAD", "POST") if is_form else ("GET", "HEAD")
    return Rule(door="rest", methods=dict.fromkeys(methods, needed or ("series:read",)), **more)


def _query() -> Rule:
    """Return what runs queries; the one sent names no datasource of anybody's."""
    body = {"queries": [{"datasource": "__expr__", "type": "math", "expression": "1 + 1"}]}
    return Rule(door="rest", methods={"POST": ("datasources:query",)}, bodies={"POST": body})


def _grafana(*needed: str, **more: Any) -> Rule:
    methods = {"GET": needed, "HEAD": needed, "OPTIONS": (MEMBER,)}
    return Rule(door="kind", methods=methods, **more)


def _change(needed: str, **more: Any) -> Rule:
    return Rule(door="rest", methods=dict.fromkeys(("POST", "PUT"), (needed,)), **more)


def _post(needed: str, **more: Any) -> Rule:
    return Rule(door="rest", methods={"POST": (needed,)}, **more)


def _other(*statuses: int, **more: Any) -> Rule:
    return Rule(door="other", statuses=frozenset(statuses), **more)


ADMIN = _other(302, 404, 405)  # the platform's own: everybody here is led to its sign-in
_PLUGIN = {"kind": "=collectors", "name": "=http"}
_FOLDER = {
    "apiVersion": "core/v1",
    "kind": "Folder",
    "metadata": {"name": SHARED},
    "spec": {"title": "applied"},
}
_CRUD_PAGES = {
    "team": ("teams", "accounts"),
    "role": ("roles", "accounts"),
    "serviceaccount": ("serviceaccounts", "accounts"),
}

_PLUGIN_DOOR = Rule(
    door="rest",
    methods=dict.fromkeys(("GET", "HEAD", "POST"), ("datasources:read", "datasources:query")),
    values={"path": "=nothing"},
    bodies={"POST": {}},
)

TABLE: Mapping[str, Rule] = {
    # --- without an org ---
    "healthz": _other(200, 405),
    "readyz": _other(200, 405, 503),
    "metrics": _other(401, 403, 405),  # the platform's own: never an org's people or programs
    "schema": _other(200, 405),
    "docs": _other(200, 405),
    "admin:login": _other(200, 302, 403),
    "accounts:home": _other(200, 302, 405),
    "accounts:login": _other(200, 302, 405),
    "accounts:logout": _other(200, 302, 405),
    "accounts:password-change": _other(200, 302, 405),
    "accounts:org-switch": _other(302, 404, 405),
    "oncall:push-worker": _other(200, 405),
    "extensions:plugin-icon": _other(200, 405, values=_PLUGIN),
    "extensions:plugin-asset": _other(
        404, 405, values={**_PLUGIN, "digest": "=0", "path": "=icon.svg"}
    ),
    "extensions:theme-sheet": _other(404, 405, values={"name": "=forest", "digest": "=0"}),
    # --- the token is the credential ---
    "accounts:invitation-accept": _other(
        200, 302, 405, 409, 422, values={"token": "invitation_token"}, is_secret_door=True
    ),
    "watchdog-api:echo": _other(404, 405, values={"token": "=nothing"}, is_secret_door=True),
    "monitors_api:push": _other(200, 405, values={"token": "push_token"}, is_secret_door=True),
    "monitors_api:push-signal": _other(
        200, 405, values={"token": "push_token", "signal": "=start"}, is_secret_door=True
    ),
    "oncall-api:act": _other(200, 405, 410, values={"token": "act_token"}, is_secret_door=True),
    "oncall-api:callback": _other(
        401, 405, 429, values={"uid": "callback_uid"}, is_secret_door=True
    ),
    "oncall-api:calendar": _other(
        200, 405, values={"token": "calendar_token"}, is_secret_door=True
    ),
    # --- what one datasource's plugin answers ---
    "datasources-api:resources": replace(_PLUGIN_DOOR, values={"path": "=scenarios"}),
    "datasources-api:proxy": _PLUGIN_DOOR,
    "operations-api:run": _rest("pipelines:read", values={"uid": "run"}),
    "operations-api:metrics": _rest("pipelines:read", allowed=DONE | {404}),
    "operations-api:run-file": _rest(
        "pipelines:read", values={"uid": "run", "file": "=no.json"}, allowed=DONE | {404}
    ),
    "datasources_queries:query": _query(),
    "datasources_queries:datasource-query": _query(),
    "grafana:health": _grafana(MEMBER),
    "grafana:user": _grafana(MEMBER),
    "grafana:org": _grafana(MEMBER),
    "grafana:datasources": _grafana("datasources:read"),
    "grafana:datasource-by-uid": _grafana("datasources:read", values={"uid": "datasource_uid"}),
    "grafana:datasource-by-name": _grafana("datasources:read"),
    "grafana:query": replace(
        _query(),
        door="kind",
        methods={"POST": ("datasources:query",), "OPTIONS": (MEMBER,)},
    ),
    # --- what senders push ---
    "series_ingest:remote-write": _push(),
    "series_ingest:otlp-metrics": _push(),
    "series_ingest:influx-write-v1": _push(),
    "series_ingest:influx-write": _push(),
    "series_ingest:text-import": _push(),
    "series_ingest:push-group": _push("PUT", values={"group": "=nightly"}),
    "series_ingest:push-group-base64": _push("PUT", values={"group": "=bmlnaHRseQ"}),
    "series_ingest:influx-ping": Rule(
        door="kind", methods=dict.fromkeys(("GET", "HEAD", "OPTIONS"), (MEMBER,))
    ),
    # --- what Prometheus' clients ask ---
    "series_queries:query": _ask(is_form=True),
    "series_queries:query-range": _ask(is_form=True),
    "series_queries:exemplars": _ask(is_form=True),
    "series_queries:format": _ask(is_form=True),
    "series_queries:parse": _ask(is_form=True),
    "series_queries:series": _ask(is_form=True),
    "series_queries:labels": _ask(is_form=True),
    "series_queries:values": _ask(values={"name": "=monitor"}),
    "series_queries:metadata": _ask(),
    "series_queries:alertmanagers": _ask(),
    "series_queries:config": _ask(),
    "series_queries:flags": _ask(),
    "series_queries:runtimeinfo": _ask(),
    "series_queries:buildinfo": _ask(),
    "series_queries:tsdb": _ask(),
    "series_queries:walreplay": _ask(),
    "series_queries:federate": _ask(),
    "series_queries:healthy": _ask(),
    "series_queries:ready": _ask(),
    "monitors_queries:targets": _ask("monitors:read"),
    "monitors_queries:targets-metadata": _ask("monitors:read"),
    "monitors_queries:pools": _ask("monitors:read"),
    "alerting_queries:rules": _ask("rulegroups:read"),
    "alerting_queries:alerts": _ask("alerts:read"),
    # --- what Alertmanager's clients ask and send ---
    "alertmanager:status": _ask("routingtrees:read"),
    "alertmanager:receivers": _ask("contactpoints:read"),
    "alertmanager:alerts": Rule(
        door="rest",
        methods={
            "GET": ("alerts:read",),
            "HEAD": ("alerts:read",),
            "POST": ("alerts:create",),
        },
        bodies={"POST": [{"labels": {"alertname": "Sent"}}]},
    ),
    "alertmanager:alert-groups": _ask("alerts:read"),
    "alertmanager:silences": Rule(
        door="rest",
        methods={
            "GET": ("silences:read",),
            "HEAD": ("silences:read",),
            "POST": ("silences:create",),
        },
        bodies={"POST": {}},
    ),
    "alertmanager:silence": Rule(
        door="rest",
        methods={
            "GET": ("silences:read",),
            "HEAD": ("silences:read",),
            "DELETE": ("silences:update",),
        },
        values={"uuid": "=00000000-0000-0000-0000-000000000000"},
        allowed=DONE | {404},
    ),
    "alertmanager:healthy": _ask(MEMBER),
    "alertmanager:ready": _ask(MEMBER),
    "alertmanager:gone": Rule(
        door="rest",
        methods=dict.fromkeys(("GET", "HEAD", "POST", "DELETE"), (MEMBER,)),
        values={"path": "=alerts"},
        allowed=frozenset({410}),
    ),
    "series_queries:delete-series": _change("series:delete"),
    "series_queries:clean-tombstones": _change("series:delete"),
    "series_queries:snapshot": _change(NOBODY),
    # --- REST beside the registry ---
    "apis:discovery": Rule(door="discovery"),
    "apis:group": Rule(door="discovery", values={"group": "=core", "version": "=v1"}),
    "accounts-api:org-list": Rule(door="discovery"),
    "accounts-api:org-detail": Rule(
        door="rest",
        values={"name": "org"},
        methods={
            "GET": ("orgs:read",),
            "HEAD": ("orgs:read",),
            "PUT": ("orgs:update",),
            "DELETE": (NOBODY,),
        },
        bodies={"PUT": {"spec": {"title": "written"}}},
    ),
    "audit-api:auditevents-list": _rest("audit:read"),
    "audit-api:auditevents-detail": _rest("audit:read", values={"name": "audit"}),
    "events-api:deadletters-list": _rest("events:read"),
    "events-api:deadletters-detail": _rest("events:read", values={"name": "dead_letter"}),
    "events-api:deadletters-replay": _post("events:update", values={"name": "dead_letter"}),
    "events-api:deadletters-discard": _post("events:update", values={"name": "dead_letter"}),
    "extensions_api:plugin-list": _rest("plugins:read"),
    "extensions_api:tool-list": _rest("tools:execute"),
    "extensions_api:tool-run": _post("tools:execute", values={"name": "=dns-lookup"}),
    "extensions_api:plugin-detail": _rest("plugins:read", values=_PLUGIN),
    "extensions_api:plugin-enable": _post("plugins:update", values=_PLUGIN),
    "extensions_api:plugin-disable": _post("plugins:update", values=_PLUGIN),
    "extensions_api:plugin-config": Rule(
        door="rest",
        methods={
            "GET": ("plugins:read",),
            "HEAD": ("plugins:read",),
            "PUT": ("plugins:update",),
        },
        values=_PLUGIN,
        bodies={"PUT": {"spec": {"config": {}}}},
    ),
    "extensions_api:plugin-deployment": Rule(
        door="rest",
        methods={"PUT": (NOBODY,)},
        values=_PLUGIN,
        bodies={"PUT": {"spec": {"enabled": True}}},
    ),
    "apis:apply": Rule(
        door="rest", methods={"POST": ("folders:update",)}, bodies={"POST": _FOLDER}
    ),
    "apis:export": _rest(MEMBER),
    "apis:unknown": _other(200, 401, 404, 405, values={"rest": "=nothing/at/all"}),
    "notifications-api:deliveries-list": _rest("deliveries:read"),
    "notifications-api:deliveries-detail": _rest("deliveries:read", values={"name": "delivery"}),
    "notifications-api:deliveries-replay": Rule(
        door="rest",
        methods={"POST": ("deliveries:send",)},
        values={"name": "delivery"},
    ),
    "notifications-api:deadletters-replay": Rule(
        door="rest",
        methods={"POST": ("deliveries:send",)},
        bodies={"POST": {"names": []}},
    ),
    "notifications-api:replays": Rule(
        door="rest",
        methods={"POST": ("routingtrees:read", "alerts:read")},
        bodies={"POST": {"since": "1h"}},
    ),
    "me-api:contactmethods-list": _rest(MEMBER),
    "me-api:contactmethods-detail": Rule(
        door="rest",
        methods=dict.fromkeys(("GET", "HEAD", "PUT", "DELETE"), (MEMBER,)),
        bodies={"PUT": {"spec": {"notifier": "webhook", "config": {"url": "http://127.0.0.1:9/"}}}},
        allowed=DONE | {403, 404},  # 403: a key that may only read
    ),
    "me-api:contactmethods-verify": _post(MEMBER, allowed=DONE | {403, 404}),
    "me-api:preferences": Rule(
        door="rest",
        methods=dict.fromkeys(("GET", "HEAD", "PUT"), (MEMBER,)),
        bodies={"PUT": {"spec": {}}},
        allowed=DONE | {403},
    ),
    "suppression-api:list": _rest("alerts:read"),
    "suppression-api:alert": _rest("alerts:read"),
    # --- people and permissions ---
    "accounts:org-edit": _look("orgs:update"),
    "accounts:member-list": _look("users:read"),
    "accounts:invitation-send": _button("users:read", "invitations:create"),
    "accounts:invitation-withdraw": _button(
        "users:read", "invitations:delete", values={"uid": "invitation"}
    ),
    "accounts:member-suspend": _button("users:update"),
    "accounts:member-remove": _button("users:read", "users:delete"),
    **{
        f"{app}:{noun}-{page}": rule
        for noun, (resource, app) in _CRUD_PAGES.items()
        for page, rule in {
            "list": _look(f"{resource}:read"),
            "create": _look(f"{resource}:read", f"{resource}:create"),
            "edit": _look(f"{resource}:read", f"{resource}:update"),
            "delete": _button(f"{resource}:read", f"{resource}:delete"),
        }.items()
    },
    "accounts:binding-list": _form(("rolebindings:read",), ("rolebindings:create",)),
    "accounts:binding-delete": _button("rolebindings:read", "rolebindings:delete"),
    "accounts:apikey-list": _form(("apikeys:read",), ("apikeys:create",)),
    "accounts:apikey-revoke": _button("apikeys:update"),
    "accounts:apikey-delete": _button("apikeys:read", "apikeys:delete"),
    "audit:audit-list": _look("audit:read"),
    "audit:audit-detail": _look("audit:read", values={"uid": "audit"}),
    # --- looking at series ---
    "series:explore": _look("series:read"),
    "series:explore-csv": _look("series:read"),
    "series:explore-source": _look("datasources:query"),
    "series:explore-source-csv": _look("datasources:query"),
    "series:metrics": _look("series:read"),
    "series:usage": _look("series:read"),
    # --- pages of plugins: one pattern for all; their own rows are in their tests ---
    "extensions:x-home": _look(
        "monitors:read", values={"plugin": "=status-wall"}, allowed=DONE | {405}
    ),
    "extensions:x-page": _look(
        "monitors:read",
        values={"plugin": "=status-wall", "path": "=_partials/tiles"},
        allowed=DONE | {405},
    ),
    # --- themes: everybody chooses their own ---
    "extensions:appearance": _look(MEMBER),
    "extensions:appearance-default": _button("orgs:update"),
    # --- tools ---
    "extensions:tool-list": _look("tools:execute"),
    "extensions:tool": _look("tools:execute", values={"name": "=dns-lookup"}),
    # --- watching ---
    "monitors:monitor-list": _look("monitors:read"),
    "monitors:monitor-bulk": _button("monitors:update"),
    "monitors:monitor-types": _look("monitors:create"),
    "monitors:monitor-create": _look("monitors:create", values={"type_name": "=push"}),
    "monitors:monitor-try": _button("monitors:execute", values={"type_name": "=push"}),
    "monitors:monitor-detail": _look("monitors:read"),
    "monitors:monitor-row": _look("monitors:read"),
    "monitors:monitor-history": _look("monitors:read"),
    "monitors:monitor-edit": _look("monitors:update"),
    "monitors:monitor-delete": _button("monitors:delete"),
    "monitors:monitor-run": _button("monitors:execute"),
    "monitors:monitor-enable": _button("monitors:update"),
    "monitors:monitor-rotate": _button("monitors:update"),
    "monitors:monitor-response": _look("monitors:read"),
    "monitors:monitor-change": _look("monitors:read", values={"key": "change"}),
    "monitors:window-list": _look("maintenancewindows:read"),
    "monitors:window-create": _look("maintenancewindows:create"),
    "monitors:window-detail": _look("maintenancewindows:read"),
    "monitors:window-preview": _button("maintenancewindows:read"),
    "monitors:window-edit": _look("maintenancewindows:update"),
    "monitors:window-turn": _button("maintenancewindows:update"),
    "monitors:window-delete": _button("maintenancewindows:delete"),
    # --- alerting ---
    "alerting:alert-list": _look("alerts:read"),
    "alerting:alert-detail": _look("alerts:read"),
    "alerting:alert-for": _look(MEMBER, values={"monitor": "=none"}),
    "alerting:alert-bulk": _button("alerts:acknowledge"),
    "alerting:alert-handle": _button("alerts:acknowledge"),
    "alerting:rulegroup-list": _look("rulegroups:read"),
    "alerting:slo-list": _look("rulegroups:read"),
    "alerting:slo-create": _look("rulegroups:create"),
    "alerting:slo-preview": _button("rulegroups:read", "series:read"),
    "alerting:slo-detail": _look("rulegroups:read"),
    "alerting:slo-edit": _look("rulegroups:update"),
    "alerting:slo-delete": _button("rulegroups:delete"),
    "alerting:anomaly-list": _look("rulegroups:read"),
    "alerting:anomaly-create": _look("rulegroups:create"),
    "alerting:anomaly-preview": _button("rulegroups:read", "series:read"),
    "alerting:anomaly-backtest": _button("rulegroups:read", "series:read"),
    "alerting:anomaly-detail": _look("rulegroups:read"),
    "alerting:anomaly-edit": _look("rulegroups:update"),
    "alerting:anomaly-delete": _button("rulegroups:delete"),
    "alerting:rulequality-list": _look("rulegroups:read"),
    "alerting:rulequality-proposal": _look(
        "rulegroups:read", "series:read", values={"uid": "rule"}
    ),
    "alerting:rulegroup-create": _look("rulegroups:create"),
    "alerting:rulegroup-preview": _button("rulegroups:read"),
    "alerting:rulegroup-backtest": _button("rulegroups:read"),
    "alerting:rulegroup-restore": _button("rulegroups:create"),
    "alerting:rulegroup-detail": _look("rulegroups:read"),
    "alerting:rulegroup-edit": _look("rulegroups:update"),
    "alerting:rulegroup-enable": _button("rulegroups:update"),
    "alerting:rulegroup-delete": _button("rulegroups:delete"),
    # --- telling ---
    "datasources:datasource-list": _look("datasources:read"),
    "datasources:datasource-types": _look("datasources:create"),
    "datasources:datasource-create": _look("datasources:create", values={"type_name": "=testdata"}),
    "datasources:datasource-detail": _look("datasources:read"),
    "datasources:datasource-edit": _look("datasources:update"),
    "datasources:datasource-test": _button("datasources:query"),
    "datasources:datasource-clone": _button("datasources:create"),
    "datasources:datasource-delete": _button("datasources:delete"),
    "notifications:contactpoint-list": _look("contactpoints:read"),
    "notifications:contactpoint-types": _look("contactpoints:create"),
    "notifications:contactpoint-create": _look(
        "contactpoints:create", values={"notifier": "=webhook"}
    ),
    "notifications:receiver-new": _look("contactpoints:read", allowed=DONE | {404}),
    "notifications:contactpoint-detail": _look("contactpoints:read"),
    "notifications:contactpoint-edit": _look("contactpoints:update"),
    "notifications:contactpoint-test": _button("contactpoints:test"),
    "notifications:contactpoint-delete": _button("contactpoints:delete"),
    "notifications:routing-tree": _look("routingtrees:read"),
    "notifications:routing-yaml": _look("routingtrees:update"),
    "notifications:routing-replay": _look("routingtrees:read", "alerts:read"),
    "notifications:route-add": _look("routingtrees:update", values={"at": "=root"}),
    "notifications:route-edit": _look("routingtrees:update", values={"at": "=root-0"}),
    "notifications:route-move": _button("routingtrees:update", values={"at": "=root-0"}),
    "notifications:route-delete": _button("routingtrees:update", values={"at": "=root-0"}),
    "notifications:inhibitionrule-list": _look("inhibitionrules:read"),
    "notifications:inhibitionrule-create": _look("inhibitionrules:create"),
    "notifications:inhibitionrule-preview": _button("inhibitionrules:read"),
    "notifications:inhibitionrule-detail": _look("inhibitionrules:read"),
    "notifications:inhibitionrule-edit": _look("inhibitionrules:update"),
    "notifications:inhibitionrule-delete": _button("inhibitionrules:delete"),
    "notifications:timeinterval-list": _look("timeintervals:read"),
    "notifications:timeinterval-create": _look("timeintervals:create"),
    "notifications:timeinterval-preview": _button("timeintervals:read"),
    "notifications:timeinterval-detail": _look("timeintervals:read"),
    "notifications:timeinterval-edit": _look("timeintervals:update"),
    "notifications:timeinterval-delete": _button("timeintervals:delete"),
    "notifications:delivery-list": _look("deliveries:read"),
    "notifications:delivery-detail": _look("deliveries:read", values={"uid": "delivery"}),
    "notifications:delivery-replay": _button("deliveries:send", values={"uid": "delivery"}),
    "notifications:delivery-replay-many": _button("deliveries:send"),
    "notifications:template-list": _look("notificationtemplates:read"),
    "notifications:template-create": _look("notificationtemplates:create"),
    "notifications:template-preview": _button("notificationtemplates:read"),
    "notifications:template-edit": _look("notificationtemplates:update"),
    "notifications:template-delete": _button("notificationtemplates:delete"),
    "notifications:delivery-for": _look(MEMBER, values={"fingerprint": "=0"}),
    "notifications:silence-list": _look("silences:read"),
    "notifications:silence-create": _look("silences:create"),
    "notifications:silence-preview": _button("silences:read"),
    "notifications:silence-values": _look("silences:read"),
    "notifications:silence-detail": _look("silences:read"),
    "notifications:silence-edit": _look("silences:update"),
    "notifications:silence-expire": _button("silences:update"),
    "notifications:silence-extend": _button("silences:update"),
    "notifications:suppression-list": _look("alerts:read"),
    "notifications:watchdog-list": _look("watchdogs:read"),
    "notifications:watchdog-create": _look("watchdogs:create"),
    "notifications:watchdog-preview": _button("watchdogs:read"),
    "notifications:watchdog-detail": _look("watchdogs:read"),
    "notifications:watchdog-edit": _look("watchdogs:update"),
    "notifications:watchdog-delete": _button("watchdogs:delete"),
    "oncall:callback-list": _look("contactpoints:read"),
    "oncall:callback-create": _look("contactpoints:create"),
    "oncall:callback-detail": _look("contactpoints:read"),
    "oncall:callback-edit": _look("contactpoints:update"),
    "oncall:callback-delete": _button("contactpoints:delete"),
    "notifications:suppression-for": _look("alerts:read", values={"fingerprint": "=0"}),
    # --- people on call ---
    "oncall:schedule-list": _look("oncallschedules:read"),
    "oncall:schedule-create": _look("oncallschedules:create"),
    "oncall:schedule-detail": _look("oncallschedules:read"),
    "oncall:schedule-preview": _button("oncallschedules:read"),
    "oncall:schedule-edit": _look("oncallschedules:update"),
    "oncall:schedule-delete": _button("oncallschedules:delete"),
    "oncall:incident-list": _look("incidents:read"),
    "oncall:incident-create": _look("incidents:create"),
    "oncall:incident-detail": _look("incidents:read"),
    "oncall:incident-update": _button("incidents:update"),
    "oncall:incident-add": _button("incidents:update", allowed=DONE | {404}),
    "oncall:incident-for": _look(MEMBER, values={"fingerprint": "=0"}),
    "oncall:incident-note": _button("incidents:update"),
    "oncall:incident-gather": _button("incidents:update"),
    "oncall:incident-delete": _button("incidents:delete"),
    "oncall:incident-export": _look("incidents:read"),
    "oncall:policy-list": _look("escalations:read"),
    "oncall:policy-create": _look("escalations:create"),
    "oncall:policy-detail": _look("escalations:read"),
    "oncall:policy-edit": _look("escalations:update"),
    "oncall:policy-delete": _button("escalations:delete"),
    "oncall:escalation-for": _look(MEMBER, values={"fingerprint": "=0"}),
    "oncall:preference-edit": _look(MEMBER, allowed=DONE),
    "oncall:push-create": _button(MEMBER, allowed=DONE | {422}),
    "oncall:method-create": _look(MEMBER, values={"notifier": "=webhook"}),
    "oncall:method-edit": _look(MEMBER, allowed=DONE | {404}),
    "oncall:method-test": _button(MEMBER, allowed=DONE | {404}),
    "oncall:method-delete": _button(MEMBER, allowed=DONE | {404}),
    "oncall:override-create": _button("oncallschedules:update"),
    "oncall:override-delete": _button("oncallschedules:update", allowed=DONE | {404}),
    "oncall:calendar-rotate": _button("oncallschedules:update"),
    # --- the whole ---
    "extensions:plugin-list": _look("plugins:read"),
    "extensions:plugin-detail": _look("plugins:read", values=_PLUGIN),
    "extensions:plugin-settings": _button("plugins:update", values=_PLUGIN),
    "extensions:plugin-switch": _button("plugins:update", values={**_PLUGIN, "word": "=on"}),
    "extensions:plugin-switch-deployment": _button(NOBODY, values={**_PLUGIN, "word": "=on"}),
    "extensions:plugin-approve": _button(NOBODY, values=_PLUGIN),
    "extensions:plugin-withdraw": _button(NOBODY, values=_PLUGIN),
    "operations:overview": _look(MEMBER),
    "operations:transfer": _look(MEMBER),
    "operations:transfer-export": Rule(
        door="page",
        methods=dict.fromkeys(("GET", "HEAD"), ("routingtrees:read", "contactpoints:read")),
        values={"file_format": "=alertmanager"},
    ),
    "operations:modules": _look("system:logs"),
    "operations:event-bus": _look("events:read"),
    "operations:event-bus-measure": _button(NOBODY),
    "operations:dead-letter": _look("events:read", values={"uid": "dead_letter"}),
    "operations:dead-letter-settle": _button(
        "events:update", values={"uid": "dead_letter", "action": "=replay"}
    ),
    "operations:system-health": _look("system:read"),
    "operations:pipeline-list": _look("pipelines:read"),
    "operations:pipeline-plugins": _look("pipelines:create"),
    "operations:pipeline-create": _look("pipelines:create", allowed=DONE | {404}),
    "operations:pipeline-stage": _look("pipelines:read", allowed=DONE | {404}),
    "operations:pipeline-detail": _look("pipelines:read"),
    "operations:pipeline-edit": _look("pipelines:update"),
    "operations:pipeline-run": _button("pipelines:execute"),
    "operations:pipeline-delete": _button("pipelines:delete"),
    "operations:run-detail": _look("pipelines:read", values={"uid": "run"}),
    "operations:run-cancel": _button("pipelines:execute", values={"uid": "run"}),
    "operations:run-resume": _button("pipelines:execute", values={"uid": "run"}),
    "operations:run-file": _look(
        "pipelines:read", values={"uid": "run", "file": "=no.json"}, allowed=DONE | {404}
    ),
}
