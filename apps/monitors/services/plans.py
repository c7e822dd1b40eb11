"""From claims to checks: configurations and secrets, read once per version and kept in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from apps.extensions.selectors import plugin_manifest
from apps.monitors.models import Heartbeat, Monitor, MonitorMaintenance
from apps.monitors.services.configuration import is_passive
from apps.monitors.services.network import discovery_choice
from apps.monitors.services.reports import CheckPlan
from apps.monitors.services.samples import base_labels, instance_of, own_labels
from apps.monitors.services.schedule import Claim
from apps.monitors.services.states import Policy
from detectviz.collection.checks import ScheduledCheck
from detectviz.collection.discovery import DiscoveryChoice
from detectviz.contracts import collector as contract
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.pluginhost.errors import PluginHostError

LARGEST_CACHE = 50_000
_ACROSS = "collectors serve all orgs"
_TLS_SCHEMES = frozenset({"https", "wss", "ldaps", "smtps"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCheck:
    """One version of a monitor, ready to be run and stored."""

    plan: CheckPlan
    config: JsonObject
    secrets: Mapping[str, str] = field(repr=False)
    host: str
    is_tls: bool
    org: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    discovery: DiscoveryChoice | None = None


class PlanCache:
    """The monitors this process checks, by key and version. Used by one feeding thread."""

    def __init__(self, *, largest: int = LARGEST_CACHE) -> None:
        self._planned: dict[int, PlannedCheck] = {}
        self._largest = largest

    def plan(self, key: int) -> CheckPlan | None:
        """Return the plan of the newest version seen, read again if it was dropped; None: gone."""
        if key not in self._planned:
            self._load([key])
        planned = self._planned.get(key)
        return planned.plan if planned else None

    def checks(self, claims: Sequence[Claim]) -> list[ScheduledCheck]:
        """Return the checks of ``claims``; a claim whose monitor is gone is left out."""
        missing = [claim.monitor_id for claim in claims if not self._has(claim)]
        if missing:
            self._load(missing)
        found = [
            (claim, planned)
            for claim in claims
            if (planned := self._planned.get(claim.monitor_id)) is not None
        ]
        heard = heartbeats_read([claim.monitor_id for claim, each in found if each.plan.is_passive])
        return [check_of(planned, claim, heard.get(claim.monitor_id)) for claim, planned in found]

    def _has(self, claim: Claim) -> bool:
        planned = self._planned.get(claim.monitor_id)
        return planned is not None and planned.plan.config_version >= claim.config_version

    def _load(self, keys: Sequence[int]) -> None:
        if len(self._planned) + len(keys) > self._largest:
            self._planned.clear()
        rows = Monitor.objects.across_orgs(reason=_ACROSS).filter(pk__in=keys)
        in_windows = MonitorMaintenance.objects.across_orgs(reason=_ACROSS)
        maintained = set(
            in_windows.filter(monitor_id__in=keys).values_list("monitor_id", flat=True)
        )
        for monitor in rows.select_related("org"):
            self._planned[monitor.pk] = planned_of(monitor, is_in_window=monitor.pk in maintained)


def planned_of(monitor: Monitor, *, is_in_window: bool = False) -> PlannedCheck:
    """Return what the engine and the flush need of ``monitor`` (its org joined)."""
    schema, passive = _schema_of(monitor.type)
    instance = instance_of(schema, monitor.config)
    plan = CheckPlan(
        monitor_id=monitor.pk,
        config_version=monitor.config_version,
        org_id=monitor.org_id,
        tenant=monitor.org.uid,
        name=monitor.name,
        type=monitor.type,
        base_labels=_labels(monitor, instance),
        policy=Policy(
            retries=monitor.retries,
            retry_interval_s=monitor.retry_interval_s,
            is_inverted=monitor.is_inverted,
            is_in_maintenance=monitor.is_in_maintenance or is_in_window,
            degraded_above_s=monitor.degraded_above_s,
            down_above_s=monitor.down_above_s,
        ),
        interval_s=monitor.interval_s,
        timeout_s=monitor.timeout_s,
        is_passive=passive,
    )
    host, is_tls = _host_of(instance, monitor.config)
    return PlannedCheck(
        plan=plan,
        config=monitor.config,
        secrets=dict(monitor.secrets),
        host=host,
        is_tls=is_tls,
        org=monitor.org.name,
        labels=own_labels(monitor.labels),
        discovery=discovery_choice(schema, monitor.config, monitor.secrets),
    )


def labels_of(monitor: Monitor) -> dict[str, str]:
    """Return what every series of ``monitor`` carries now."""
    schema, _ = _schema_of(monitor.type)
    return _labels(monitor, instance_of(schema, monitor.config))


def _labels(monitor: Monitor, instance: str) -> dict[str, str]:
    return base_labels(
        name=monitor.name,
        type_name=monitor.type,
        instance=instance,
        location=monitor.location,
        labels=monitor.labels,
    )


def check_of(
    planned: PlannedCheck, claim: Claim, heartbeat: contract.Heartbeat | None
) -> ScheduledCheck:
    """Return what the engine runs for ``claim``."""
    return ScheduledCheck(
        key=claim.monitor_id,
        epoch=claim.epoch,
        slot_ms=claim.slot_ms,
        collector=planned.plan.type,
        name=planned.plan.name,
        config=planned.config,
        secrets=planned.secrets,
        timeout_s=planned.plan.timeout_s,
        host=planned.host,
        is_tls=planned.is_tls,
        heartbeat=heartbeat,
        org=planned.org,
        labels=planned.labels,
        discovery=planned.discovery,
    )


def heartbeats_read(keys: Sequence[int]) -> dict[int, contract.Heartbeat]:
    """Return what the given push monitors have heard, in one query (none for no keys)."""
    if not keys:
        return {}
    rows = Heartbeat.objects.across_orgs(reason=_ACROSS).filter(monitor_id__in=keys)
    return {row.monitor_id: heartbeat_value(row) for row in rows.defer("token", "pings", "runs")}


def heartbeat_value(row: Heartbeat) -> contract.Heartbeat:
    """Return a heartbeat as collectors see it."""
    return contract.Heartbeat(
        since=row.since,
        last_success_at=row.last_success_at,
        last_start_at=row.last_start_at,
        last_fail_at=row.last_fail_at,
        last_exit_code=row.last_exit_code,
        last_duration_s=row.last_duration_s,
        last_message=row.last_message,
    )


def _schema_of(type_name: str) -> tuple[JsonObject, bool]:
    try:
        manifest = plugin_manifest(PluginKind.COLLECTOR, type_name)
    except PluginHostError:
        return {}, False  # the engine reports it as unknown, with the reason
    return manifest.config_schema, is_passive(manifest)


def _host_of(instance: str, config: JsonObject) -> tuple[str, bool]:
    """Return the host whose load is capped, and whether starts are paced as TLS handshakes."""
    scheme, separator, _ = instance.partition("://")
    is_tls = scheme in _TLS_SCHEMES if separator else "verify" in config
    try:
        return str(ip_address(instance)), is_tls
    except ValueError:
        pass
    try:
        return urlsplit(instance if separator else f"//{instance}").hostname or "", is_tls
    except ValueError:
        return "", is_tls
