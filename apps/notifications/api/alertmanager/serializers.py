"""Alerts, groups and the server's status in the shapes of Alertmanager's API v2."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from apps.notifications.services.alertmanager.listing import ListedAlert, ListedGroup, Status
from detectviz import __version__
from detectviz.clock import utc_now

SPOKEN_VERSION = "0.28.0"  # the Alertmanager whose API this is: clients choose by it what to ask
_UID_DIGITS = 20
_UUID_DIGITS = 32
_STARTED_AT = utc_now()
_NEVER = "0001-01-01T00:00:00.000Z"


def status_json(original: str) -> dict[str, Any]:
    """Return the server's status with its configuration."""
    return {
        "cluster": {"status": "disabled", "peers": []},
        "config": {"original": original},
        "uptime": moment_json(_STARTED_AT),
        "versionInfo": {
            "branch": "detectviz",
            "buildDate": "",
            "buildUser": "",
            "goVersion": "",
            "revision": __version__,
            "version": SPOKEN_VERSION,
        },
    }


def alerts_json(alerts: Iterable[ListedAlert]) -> bytes:
    """Return alerts as a JSON list; stored JSON goes through as it is."""
    return orjson.dumps([alert_json(alert) for alert in alerts])


def groups_json(groups: Iterable[ListedGroup]) -> bytes:
    """Return groups as a JSON list."""
    return orjson.dumps([_group_json(group) for group in groups])


def alert_json(alert: ListedAlert, muted_by: Sequence[str] = ()) -> dict[str, Any]:
    """Return one alert; ``muted_by`` are times of its group's route."""
    return {
        "annotations": orjson.Fragment(alert.annotations_json),
        "endsAt": _NEVER if alert.ends_at is None else moment_json(alert.ends_at),
        "fingerprint": alert.fingerprint,
        "receivers": [{"name": name} for name in alert.receivers],
        "startsAt": moment_json(alert.starts_at),
        "status": _status_json(alert.status, muted_by),
        "updatedAt": moment_json(alert.updated_at),
        "generatorURL": alert.generator_url,
        "labels": orjson.Fragment(alert.labels_json),
    }


def moment_json(moment: datetime) -> str:
    """Return a time as Alertmanager writes it."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.isoformat(timespec="milliseconds")[:-6] + "Z"


def uuid_of(uid: str) -> str:
    """Return the UUID by which Alertmanager's clients know our ``uid``."""
    return str(UUID(hex=uid.ljust(_UUID_DIGITS, "0")))


def uid_of(uuid: str) -> str:
    """Return our uid of a UUID; empty where it can't be one of ours. Raise ValueError for none."""
    digits = UUID(uuid).hex
    return digits[:_UID_DIGITS] if not digits[_UID_DIGITS:].strip("0") else ""


def _status_json(status: Status, muted_by: Sequence[str]) -> dict[str, Any]:
    muted = [*status.muted_by, *muted_by]
    return {
        "inhibitedBy": status.inhibited_by,
        "mutedBy": muted,
        "silencedBy": [uuid_of(uid) for uid in status.silenced_by],
        "state": "suppressed" if muted or status.is_suppressed else "active",
    }


def _group_json(group: ListedGroup) -> dict[str, Any]:
    return {
        "alerts": [alert_json(alert, group.muted_by) for alert in group.alerts],
        "labels": group.labels,
        "receiver": {"name": group.receiver},
        "routeLabels": {},
    }
