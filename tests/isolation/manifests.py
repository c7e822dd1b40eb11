"""A valid spec of every kind that can be written; ``mark`` stands in every free text."""

from typing import Any

from detectviz.resources.registry import ResourceKind, registry

SHARED = "shared"  # every kind has an object of this name in both orgs


def spec_of(kind: str, mark: str, name: str = SHARED) -> dict[str, Any]:
    """Return a spec that refers to the objects called ``name``; KeyError for an unknown kind."""
    specs: dict[str, dict[str, Any]] = {
        "Folder": {"title": mark},
        "Quota": {"max_series": 1000},
        "Team": {"title": mark, "members": [name]},
        "Role": {"title": mark, "description": mark, "permissions": ["monitors:read"]},
        "ServiceAccount": {"title": mark, "description": mark},
        "User": {"is_active": True},
        "Monitor": {
            "title": mark,
            "type": "push",
            "description": mark,
            "notes": mark,
            "runbook_url": f"https://{mark}.example.org/",
            "config": {"period": "1h"},
        },
        "Datasource": {
            "title": mark,
            "type": "testdata",
            "url": f"http://127.0.0.1:9/{mark}",
            "user": mark,
            "database": mark,
            "basic_auth_user": mark,
        },
        "Pipeline": {
            "title": mark,
            "source": {"importer": "csv", "config": {"path": f"{mark}.csv"}},
            "steps": [{"processor": "metric"}],
            "destinations": [{"exporter": "json", "config": {"file": mark}}],
        },
        "RuleGroup": {
            "title": mark,
            "labels": {"mark": mark},
            "rules": [
                {
                    "alert": f"Down_{mark}",
                    "expr": f'up{{mark="{mark}"}} == 0',
                    "labels": {"mark": mark},
                    "annotations": {"summary": mark},
                }
            ],
        },
        **_generated_specs(mark, name),
        "ContactPoint": {
            "title": mark,
            "receivers": [
                {"notifier": "webhook", "config": {"url": f"http://127.0.0.1:9/{mark}"}},
            ],
        },
        "ChatCallback": {"title": mark, "service": "generic", "secrets": {"key": mark}},
        "EscalationPolicy": {
            "title": mark,
            "description": mark,
            "steps": [{"targets": [{"schedule": name}, {"user": name}, {"contact_point": name}]}],
        },
        "Incident": {"title": mark, "summary": mark, "roles": {"commander": name}},
        "OnCallSchedule": {
            "title": mark,
            "description": mark,
            "layers": [{"name": mark, "participants": [name], "starts_on": "2026-01-01"}],
        },
        "NotificationTemplate": {
            "title": mark,
            "template": f'{{{{ define "{name} of {mark}" }}}}{mark}{{{{ end }}}}',
            "sample": {"alerts": [{"labels": {"alertname": mark}}]},
        },
        "RoutingTree": {
            "contact_point": name,
            "routes": [{"contact_point": name, "matchers": [f'mark="{mark}"']}],
        },
        **_muting_specs(mark),
        "RoleBinding": {"role": name, "subject": {"kind": "Team", "name": name}},
        "ApiKey": {
            "title": mark,
            "owner": {"kind": "ServiceAccount", "name": name},
            "scopes": ["monitors:read"],
        },
    }
    return specs[kind]


def _generated_specs(mark: str, name: str) -> dict[str, dict[str, Any]]:
    return {
        "SLO": {"title": mark, "objective": 99, "sli": {"monitor": name}},
        "AnomalyRule": {"title": mark, "expr": f'load{{mark="{mark}"}}', "labels": {"mark": mark}},
    }


def _muting_specs(mark: str) -> dict[str, dict[str, Any]]:
    return {
        "MaintenanceWindow": {
            "title": mark,
            "strategy": "weekly",
            "weekdays": ["saturday"],
            "start_time": "03:00",
            "duration": "2h",
            "matchers": [f'mark="{mark}"'],
            "note": mark,
        },
        "Silence": {
            "title": mark,
            "matchers": [f'mark="{mark}"'],
            "ends_at": "2126-01-01T00:00:00Z",
            "comment": mark,
            "created_by": mark,
            "annotations": {"mark": mark},
        },
        "InhibitionRule": {
            "title": mark,
            "source_matchers": [f'mark="{mark}"', 'severity="critical"'],
            "target_matchers": [f'mark="{mark}"', 'severity="warning"'],
        },
        "Watchdog": {
            "title": mark,
            "labels": {"mark": mark},
            "dead_mans_switch_url": "http://127.0.0.1:9/ping",
            "enabled": False,
        },
        "TimeInterval": {
            "title": mark,
            "time_intervals": [{"weekdays": ["saturday", "sunday"]}],
        },
    }


def writable_kinds() -> list[ResourceKind[Any]]:
    """Return the kinds with a verb that writes, in order of application."""
    return [kind for kind in registry if {"create", "update"} & kind.verbs]


def manifest(kind: ResourceKind[Any], mark: str, name: str = SHARED) -> dict[str, Any]:
    """Return a whole document; a kind with one object per org keeps its name."""
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": kind.singleton_name or name, "labels": {"mark": mark}},
        "spec": spec_of(kind.kind, mark),
    }
