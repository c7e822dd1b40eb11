"""``alertmanager.yml`` to manifests: contact points, intervals, inhibition rules, the tree."""

from collections.abc import Iterator, Mapping
from typing import Any

from apps.notifications.services.alertmanager.integrations import INTEGRATIONS
from apps.notifications.services.alertmanager.receivers import (
    Schemas,
    notifier_schemas,
    receivers_of,
)
from apps.notifications.services.alertmanager.routes import (
    mapping_at,
    read_matchers,
    route_to_spec,
)
from apps.notifications.services.bootstrap import TREE_NAME
from apps.notifications.services.foreign_intervals import empty_lists_lose
from apps.notifications.services.resolve_timeouts import DEFAULT_RESOLVE_TIMEOUT
from detectviz.resources.errors import InvalidFieldsError
from detectviz.resources.formats import Conversion
from detectviz.resources.losses import Losses, Names

_FIELDS = {
    "global",
    "route",
    "receivers",
    "inhibit_rules",
    "time_intervals",
    "mute_time_intervals",
    "templates",
    "tracing",
}
_GLOBAL = {
    "http_config": "connections are made by the deployment's rules",
}
_MAIL_LOST = "mail leaves through the server of the deployment (DETECTVIZ_SMTP_*)"


def alertmanager_file_to_manifests(data: Mapping[str, Any]) -> Conversion | None:
    """Return an Alertmanager configuration as manifests and losses; None when ``data`` is none.

    Raise InvalidFieldsError naming the field that can't be understood.
    """
    if "route" not in data or data.keys() - _FIELDS:
        return None
    return _Import(data, notifier_schemas()).convert()


class _Import:
    def __init__(self, data: Mapping[str, Any], schemas: Schemas) -> None:
        self._data = data
        self._schemas = schemas
        self._losses = Losses()
        self._receivers, self._intervals, self._rules = Names(), Names(), Names()
        self._common = mapping_at(data.get("global") or {}, "global")

    def convert(self) -> Conversion:
        """Return everything, the tree last."""
        manifests = [
            *self._contact_points(),
            *self._time_intervals(),
            *self._inhibition_rules(),
            self._tree(),
        ]
        self._lose_the_rest()
        return Conversion(manifests=manifests, losses=self._losses.found)

    def _contact_points(self) -> Iterator[dict[str, Any]]:
        for path, receiver in self._items("receivers"):
            title = str(receiver.get("name", ""))
            if not title:
                raise InvalidFieldsError({f"{path}.name": ["A receiver needs a name."]})
            name = self._receivers.of(title)
            if name != title:
                self._losses.add(f"{path}.name", f"becomes {name}; the title keeps it as written")
            told = receivers_of(
                receiver,
                path,
                common=self._common,
                schemas=self._schemas,
                losses=self._losses,
            )
            yield _manifest(
                "notifications/v1", "ContactPoint", name, {"title": title, "receivers": told}
            )

    def _time_intervals(self) -> Iterator[dict[str, Any]]:
        for field in ("time_intervals", "mute_time_intervals"):
            for path, interval in self._items(field):
                title = str(interval.get("name", ""))
                name = self._intervals.of(title)
                if name != title:
                    self._losses.add(f"{path}.name", f"becomes {name}")
                written = interval.get("time_intervals") or []
                empty_lists_lose(written, f"{path}.time_intervals", self._losses)
                spec = {"title": title, "time_intervals": written}
                yield _manifest("alerting/v1", "TimeInterval", name, spec)

    def _inhibition_rules(self) -> Iterator[dict[str, Any]]:
        for index, (path, rule) in enumerate(self._items("inhibit_rules")):
            title = str(rule.get("name") or f"inhibit {index + 1}")
            spec = {
                "title": title,
                "source_matchers": read_matchers(
                    rule, path, "source_match", "source_match_re", "source_matchers"
                ),
                "target_matchers": read_matchers(
                    rule, path, "target_match", "target_match_re", "target_matchers"
                ),
                "equal": [str(name) for name in rule.get("equal") or []],
            }
            yield _manifest("alerting/v1", "InhibitionRule", self._rules.of(title), spec)
            if rule.get("sources"):
                self._losses.add(f"{path}.sources", "an inhibition rule has one source")

    def _tree(self) -> dict[str, Any]:
        root = route_to_spec(
            mapping_at(self._data["route"], "route"),
            "route",
            receiver_name=self._receivers.of,
            interval_name=self._intervals.of,
            losses=self._losses,
        )
        timeout = str(self._common.get("resolve_timeout") or DEFAULT_RESOLVE_TIMEOUT)
        if timeout != DEFAULT_RESOLVE_TIMEOUT:
            root["resolve_timeout"] = timeout
        return _manifest("notifications/v1", "RoutingTree", TREE_NAME, root)

    def _lose_the_rest(self) -> None:
        used = {key for one in INTEGRATIONS.values() for key in one.common.values()}
        for name in self._common:
            if name in used or name == "resolve_timeout":
                continue
            why = _MAIL_LOST if name.startswith("smtp_") else "no notifier has this default"
            self._losses.add(f"global.{name}", _GLOBAL.get(name, why))
        for index, path in enumerate(self._data.get("templates") or []):
            why = f"write the templates of {path} as NotificationTemplate manifests"
            self._losses.add(f"templates[{index}]", why)
        if self._data.get("tracing"):
            self._losses.add("tracing", "traces are the deployment's own")

    def _items(self, field: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        found = self._data.get(field) or []
        if not isinstance(found, list):
            raise InvalidFieldsError({field: ["Must be a list."]})
        for index, each in enumerate(found):
            path = f"{field}[{index}]"
            yield path, mapping_at(each, path)


def _manifest(api_version: str, kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name},
        "spec": dict(spec),
    }
