"""The rule groups of Grafana's alerting files as ours, with what can't be carried over."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import models

from apps.alerting.services.conditions import queries_problems
from apps.alerting.services.grafana.files import items_of, mappings_at
from apps.alerting.services.grafana.promql import promql_expression, texts_from_grafana
from apps.alerting.services.grafana.queries import queries_of
from apps.alerting.services.grafana.sources import Sources
from apps.alerting.services.rule_specs import rule_problems
from detectviz.contracts.durations import format_duration
from detectviz.resources.errors import InvalidFieldsError
from detectviz.resources.losses import Losses, Names

FOLDER_LABEL: Final = "grafana_folder"
NOTIFY_LABEL: Final = "contact_point"
NO_FOLDER: Final = "Detectviz"  # where Grafana has what lies in no folder
LINKS: Final = {"dashboardUid": "__dashboardUid__", "panelId": "__panelId__"}
NO_DATA: Final = {
    "NoData": "no_data",
    "OK": "ok",
    "Alerting": "alerting",
    "KeepLast": "keep_last",
}
ON_ERROR: Final = {"Error": "error", "OK": "ok", "Alerting": "alerting", "KeepLast": "keep_last"}
_GROUP: Final = {"orgId", "name", "folder", "interval", "rules"}
_DURATIONS: Final = {"for": "for", "keepFiringFor": "keep_firing_for"}
_RULE: Final = {
    "uid",
    "title",
    "condition",
    "data",
    "dasboardUid",
    "noDataState",
    "execErrState",
    "keep_firing_for",
    "annotations",
    "labels",
    "isPaused",
    "notification_settings",
    "record",
    "missing_series_evals_to_resolve",
    "missingSeriesEvalsToResolve",
    *LINKS,
    *_DURATIONS,
}
_LEFT_OUT: Final = "the rule is left out"
_UNFIT: Final = re.compile(r"[^A-Za-z0-9_]")  # noqa: TID251 - our own constant


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRoute:
    """Where a rule's ``notification_settings`` send its alerts: those with ``label``."""

    label: str
    settings: Mapping[str, Any]
    path: str


@dataclass(slots=True, kw_only=True)
class RuleImport:
    """Reads the groups of a file; what they need in the routing tree stands in ``routes``."""

    org: models.Model | None
    losses: Losses
    sources: Sources = field(default_factory=Sources)
    routes: list[OwnRoute] = field(default_factory=list)
    _groups: Names = field(default_factory=Names)
    _folders: Names = field(default_factory=Names)

    def manifests(self, document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Return folders and rule groups, each with the path it comes from."""
        groups = list(items_of(document, "groups"))
        doubled = Counter(str(group.get("name")) for _, group in groups)
        made: set[str] = set()
        for path, group in groups:
            name, folder = str(group.get("name") or ""), str(group.get("folder") or "")
            if not name:
                raise InvalidFieldsError({f"{path}.name": ["A rule group needs a name."]})
            metadata = {"name": self._groups.of(f"{folder} {name}" if doubled[name] > 1 else name)}
            if folder and folder != NO_FOLDER:
                metadata["folder"] = self._folders.of(folder)
                if folder not in made:
                    made.add(folder)
                    yield path, _manifest("core/v1", "Folder", {"name": metadata["folder"]}, folder)
            spec = self._group(group, path, folder)
            yield path, _manifest("alerting/v1", "RuleGroup", metadata, name, spec)

    def _group(self, group: Mapping[str, Any], path: str, folder: str) -> dict[str, Any]:
        for name in group.keys() - _GROUP:
            self.losses.add(f"{path}.{name}", "unknown field of a rule group")
        spec: dict[str, Any] = {"interval": _duration(group.get("interval") or "1m")}
        if folder and folder != NO_FOLDER:
            spec["labels"] = {FOLDER_LABEL: folder}
        found = (
            self._rule(rule, place)
            for place, rule in mappings_at(group.get("rules"), f"{path}.rules")
        )
        return spec | {"rules": [rule for rule in found if rule is not None]}

    def _rule(self, given: Mapping[str, Any], path: str) -> dict[str, Any] | None:
        """Return a rule, None where it had to be left out."""
        for name in given.keys() - _RULE:
            self.losses.add(f"{path}.{name}", "unknown field of a rule")
        try:
            queries = queries_of(
                given.get("data"),
                f"{path}.data",
                org=self.org,
                sources=self.sources,
                losses=self.losses,
            )
        except InvalidFieldsError as error:
            for place, texts in error.fields.items():
                self.losses.add(place, f"{_LEFT_OUT}: {' '.join(texts)}")
            return None
        record = given.get("record")
        condition = str((record or {}).get("from") if record else given.get("condition") or "")
        expression = promql_expression(queries, condition, self.org)
        rule = self._recording(given, path) if record else self._alerting(given, path)
        if expression:
            for name in ("labels", "annotations"):
                if name in rule:
                    rule[name] = texts_from_grafana(rule[name])
            rule = _without_defaults(rule) | {"expr": expression}
        else:
            rule |= {"queries": queries, "condition": condition}
        return self._fit(rule, path)

    def _alerting(self, given: Mapping[str, Any], path: str) -> dict[str, Any]:
        rule: dict[str, Any] = {"alert": str(given.get("title") or "")}
        keeps = given.get("keepFiringFor", given.get("keep_firing_for"))
        for ours, value in (("for", given.get("for")), ("keep_firing_for", keeps)):
            if value not in (None, ""):
                rule[ours] = _duration(value)
        rule["no_data"] = self._state(given, "noDataState", path, NO_DATA, "NoData")
        rule["on_error"] = self._state(given, "execErrState", path, ON_ERROR, "Alerting")
        missing = given.get("missing_series_evals_to_resolve") or given.get(
            "missingSeriesEvalsToResolve"
        )
        if missing:
            rule["missing_series_evaluations"] = missing
        labels = self._texts(given, "labels", path)
        settings = given.get("notification_settings")
        if settings:
            labels |= self._own_route(settings, labels, f"{path}.notification_settings")
        annotations = self._texts(given, "annotations", path)
        linked = {**given, "dashboardUid": given.get("dashboardUid") or given.get("dasboardUid")}
        annotations |= {ours: str(linked[name]) for name, ours in LINKS.items() if linked.get(name)}
        rule |= {"labels": labels} if labels else {}
        rule |= {"annotations": annotations} if annotations else {}
        return rule | ({"enabled": False} if given.get("isPaused") is True else {})

    def _recording(self, given: Mapping[str, Any], path: str) -> dict[str, Any]:
        record = given["record"]
        if not isinstance(record, Mapping):
            raise InvalidFieldsError({f"{path}.record": ["Must be {metric, from}."]})
        for name in ("target_datasource_uid", "targetDatasourceUid"):
            if record.get(name):
                self.losses.add(
                    f"{path}.record.{name}",
                    "what is recorded goes into the org's own series",
                    "Send it on with a pipeline, or ask it here.",
                )
        labels = self._texts(given, "labels", path)
        metric = str(record.get("metric") or "")
        if given.get("title") not in (None, metric):
            self.losses.add(f"{path}.title", f"a recording rule is called by its metric: {metric}")
        rule: dict[str, Any] = {"record": metric}
        rule |= {"labels": labels} if labels else {}
        return rule | ({"enabled": False} if given.get("isPaused") is True else {})

    def _state(
        self,
        given: Mapping[str, Any],
        name: str,
        path: str,
        known: Mapping[str, str],
        default: str,
    ) -> str:
        """Return a policy; Grafana's own default for what is left out or not known."""
        written = str(given.get(name) or default)
        if written not in known:
            why = f"{written!r} is not known, it becomes {default}"
            self.losses.add(f"{path}.{name}", why, f"Known: {', '.join(known)}.")
        return known.get(written, known[default])

    def _texts(self, given: Mapping[str, Any], name: str, path: str) -> dict[str, str]:
        texts = given.get(name) or {}
        if not isinstance(texts, Mapping):
            raise InvalidFieldsError({f"{path}.{name}": ["Must be a map of names to texts."]})
        found: dict[str, str] = {}
        for key, value in texts.items():
            fit = _UNFIT.sub("_", str(key))
            fit = f"_{fit}" if fit[:1].isdecimal() else fit or "_"
            if fit != key:
                self.losses.add(
                    f"{path}.{name}.{key}", f"becomes {fit}", "Use the new name in templates."
                )
            found[fit] = _text(value)
        return found

    def _own_route(self, settings: object, labels: Mapping[str, str], path: str) -> dict[str, str]:
        """Return the label that tells these alerts apart for a route of their own."""
        if not isinstance(settings, Mapping) or not settings.get("receiver"):
            raise InvalidFieldsError({f"{path}.receiver": ["Name a contact point."]})
        same = [route for route in self.routes if route.settings == settings]
        if same:
            return {NOTIFY_LABEL: same[0].label}
        named = str(settings["receiver"])
        number = sum(route.settings["receiver"] == named for route in self.routes)
        label = f"{named} {number + 1}" if number else named
        if NOTIFY_LABEL in labels:
            self.losses.add(
                path.replace("notification_settings", f"labels.{NOTIFY_LABEL}"),
                f"becomes {label!r}, for the route that its notification settings are",
            )
        self.routes.append(OwnRoute(label=label, settings=settings, path=path))
        return {NOTIFY_LABEL: label}

    def _fit(self, rule: dict[str, Any], path: str) -> dict[str, Any] | None:
        """Leave out texts that are no templates, and a rule that can't be one."""
        problems = rule_problems(rule)
        if not problems and self.org is not None and "queries" in rule:
            problems = queries_problems(self.org, rule["queries"])
        fatal = False
        for place, texts in problems.items():
            field_name, _, key = place.partition(".")
            message = " ".join(texts).rstrip(".")
            if field_name in {"labels", "annotations"} and key in rule.get(field_name, {}):
                del rule[field_name][key]
                self.losses.add(f"{path}.{place}", message, "Write it anew in the rule.")
                continue
            fatal = True
            message += _datasource_named(place, rule)
            self.losses.add(_theirs(path, place, rule), f"{_LEFT_OUT}: {message}", _cure(place))
        return None if fatal else rule


def _theirs(path: str, place: str, rule: Mapping[str, Any]) -> str:
    """Return the path in the file of a field of ours."""
    place = place.replace("queries[", "data[").replace("].ref_id", "].refId")
    place = place.replace("].relative_from", "].relativeTimeRange.from")
    renamed = {"alert": "title", "record": "record.metric", "keep_firing_for": "keepFiringFor"}
    if place.endswith("].datasource"):
        place += "Uid"
    if place == "condition" and "record" in rule:
        place = "record.from"
    return f"{path}.{renamed.get(place, place)}"


def _datasource_named(place: str, rule: Mapping[str, Any]) -> str:
    if not place.endswith("].datasource"):
        return ""
    index = int(place.removeprefix("queries[").partition("]")[0])
    return f": {rule['queries'][index]['datasource']!r}"


def _cure(place: str) -> str:
    if place.endswith("].datasource"):
        return (
            "Say which one it is here (on the page, or by --datasource UID=NAME), or make one with "
            "this uid: the provisioning of datasources takes Grafana's files as they are."
        )
    return "Correct it in the file and import again."


def _without_defaults(rule: dict[str, Any]) -> dict[str, Any]:
    """Leave unsaid what a PromQL rule does anyway; an exported rule says it."""
    usual = {"no_data": "ok", "on_error": "keep_last", "for": "0s"}
    return {name: value for name, value in rule.items() if usual.get(name) != value}


def _duration(value: object) -> str:
    """Return a duration as text; a number is seconds."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return format_duration(value)
    text = str(value)
    return "0s" if text == "0" else text


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _manifest(
    api_version: str,
    kind: str,
    metadata: Mapping[str, Any],
    title: str,
    spec: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": dict(metadata),
        "spec": {"title": title[:200], **(spec or {})},
    }
