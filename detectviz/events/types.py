"""The events apps tell each other. Past tense, frozen, ids and plain values only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceChanged:
    """A resource was created, updated or deleted. Secrets in before and after are masked."""

    org_id: int | None
    actor_id: int | None
    action: Literal["create", "update", "delete"]
    api_version: str
    kind: str
    name: str
    uid: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    verb: str = ""  # what was done, where that has a name of its own, such as expire


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityEventOccurred:
    """Something audit must know that is no write of a resource, as ``invitation.accept``.

    ``details`` hold names and ids, never a secret. ``org_id`` is None for the platform.
    """

    action: str
    org_id: int | None
    actor_id: int | None
    kind: str = ""
    name: str = ""
    uid: str = ""
    details: Mapping[str, Any] | None = None
    is_success: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class OrgCreated:
    """A new org exists; apps add what every org starts with."""

    org_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SoleWorkerStarts:
    """The only worker there can be is about to start: whatever an earlier life leased is free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStarts:
    """One worker of several is about to start: what killed ones of its machine leased is free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorStateChanged:
    """A monitor's state changed."""

    org_id: int
    monitor_id: int
    name: str
    previous: str
    state: str
    message: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceChanged:
    """Maintenance windows of an org began or ended, or cover others now."""

    org_id: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertChanged:
    """An alert began firing, was updated while firing (re-sent), or was resolved."""

    org_id: int
    fingerprint: str
    status: Literal["firing", "resolved"]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime | None
    rule_group: str
    rule: str
    value: float | None
    is_transition: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertHandled:
    """Somebody acknowledged, assigned, snoozed, commented or closed an alert, or took it back."""

    org_id: int
    fingerprint: str
    action: str
    actor_id: int | None
    actor_name: str
    at: datetime
    comment: str
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertGroupFlushed:
    """A group whose route names an escalation policy was flushed.

    ``firing`` are the fingerprints that fire, ``waiting`` those of them that nothing holds back.
    """

    org_id: int
    escalation: str
    key_digest: str
    group_key: str
    group_labels: Mapping[str, str]
    firing: tuple[str, ...]
    waiting: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverGone:
    """A service said that the address of a receiver is over for good; its delivery has failed."""

    org_id: int
    contact_point: str
    receiver: str
    notifier: str
    at: datetime
