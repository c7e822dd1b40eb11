"""An org's rule groups as the ``groups`` of Grafana's alerting files."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from django.db import models

from apps.alerting.models import RuleGroup
from apps.alerting.selectors import rulegroup_queryset
from apps.alerting.services.grafana.promql import CONDITION, QUERY, promql_queries, texts_to_grafana
from apps.alerting.services.grafana.queries import OWN_SERIES, data_of
from apps.alerting.services.grafana.rules import FOLDER_LABEL, LINKS, NO_DATA, NO_FOLDER, ON_ERROR
from apps.alerting.services.rule_files import rulegroup_manifest
from detectviz.resources.losses import Losses, Names

_NO_WORD: Final = "Grafana has no word for it"
_LOST: Final = {
    "recovery_expr": "Write the rule with queries and a threshold that has an unloadEvaluator.",
    "recovery_condition": "Write a threshold that has an unloadEvaluator instead.",
    "limit": "",
    "low_flap_threshold": "",
    "high_flap_threshold": "",
    "hold_while_flapping": "",
    "depends_on": "Use an inhibition rule of Alertmanager.",
}
_GROUP_LOST: Final = {"limit": 0, "query_offset": "0s"}
_LONGEST_UID: Final = 40  # the most characters of a uid in Grafana


def groups_export(*, org: models.Model, losses: Losses) -> list[dict[str, Any]]:
    """Return every group that people wrote; what Grafana can't say goes to ``losses``."""
    found: list[dict[str, Any]] = []
    for group in rulegroup_queryset(org.pk).order_by("name"):
        if group.owner:
            why = f"its rules are generated from {group.owner}"
            losses.add(f"groups.{group.name}", why, "Export manifests and apply those.")
            continue
        found.append(_group(group, org, losses))
    if any(
        datum["datasourceUid"] == OWN_SERIES
        for group in found
        for rule in group["rules"]
        for datum in rule["data"]
    ):
        losses.add(
            "groups",
            f"rules in PromQL ask the datasource {OWN_SERIES!r}, which a Grafana does not have",
            f"Make a Prometheus datasource of this uid there: /orgs/{org}/prometheus of ours.",
        )
    return found


def _group(group: RuleGroup, org: models.Model, losses: Losses) -> dict[str, Any]:
    path = f"groups.{group.name}"
    spec = rulegroup_manifest(group)["spec"]
    for name, usual in _GROUP_LOST.items():
        if spec[name] != usual:
            losses.add(f"{path}.{name}", _NO_WORD)
    folder = group.folder
    title = str(folder.title or folder.name) if folder else NO_FOLDER
    shared = {
        name: text for name, text in spec["labels"].items() if (name, text) != (FOLDER_LABEL, title)
    }
    name = _display_name(group, title)
    if group.title and group.title != name:
        losses.add(f"{path}.title", f"a group has one name there: {name}")
    rules = [
        _rule(
            {**rule, "labels": {**shared, **(rule.get("labels") or {})}},
            f"{path}.rules[{index}]",
            uid=_uid(group.uid, str(index)),
            org=org,
            losses=losses,
        )
        for index, rule in enumerate(spec["rules"])
    ]
    if not spec["enabled"]:
        rules = [rule | {"isPaused": True} for rule in rules]
    return {
        "orgId": 1,
        "name": name,
        "folder": title,
        "interval": spec["interval"],
        "rules": rules,
    }


def _rule(
    rule: Mapping[str, Any], path: str, *, uid: str, org: models.Model, losses: Losses
) -> dict[str, Any]:
    for name, cure in _LOST.items():
        if rule.get(name):
            losses.add(f"{path}.{name}", _NO_WORD, cure)
    record = rule.get("record")
    queries, condition = rule.get("queries"), rule.get("condition")
    texts = {name: dict(rule.get(name) or {}) for name in ("labels", "annotations")}
    if not queries:
        queries = promql_queries(rule["expr"], is_recording=bool(record))
        condition = QUERY if record else CONDITION
        texts = {name: texts_to_grafana(given) for name, given in texts.items()}
    found: dict[str, Any] = {"uid": uid, "title": rule.get("alert") or record}
    found |= {"condition": condition, "data": data_of(queries, org)}
    if record:
        found["record"] = {"metric": record, "from": condition}
    else:
        found |= _alerting(rule, texts["annotations"])
    found |= {"labels": texts["labels"]} if texts["labels"] else {}
    return found | {"isPaused": not rule.get("enabled", True)}


def _alerting(rule: Mapping[str, Any], annotations: dict[str, str]) -> dict[str, Any]:
    """Return what only alerting rules have; what is unsaid means what it means here."""
    is_promql = not rule.get("queries")
    no_data = rule.get("no_data") or ("ok" if is_promql else "no_data")
    on_error = rule.get("on_error") or ("keep_last" if is_promql else "error")
    found: dict[str, Any] = {
        "noDataState": _word(NO_DATA, no_data),
        "execErrState": _word(ON_ERROR, on_error),
        "for": rule.get("for") or "0s",
    }
    if rule.get("keep_firing_for"):
        found["keepFiringFor"] = rule["keep_firing_for"]
    if rule.get("missing_series_evaluations"):
        found["missing_series_evals_to_resolve"] = rule["missing_series_evaluations"]
    for theirs, ours in LINKS.items():
        linked = annotations.pop(ours, "")
        if linked:
            found[theirs] = int(linked) if linked.isdecimal() else linked
    return found | ({"annotations": annotations} if annotations else {})


def _word(words: Mapping[str, str], ours: str) -> str:
    return next(theirs for theirs, each in words.items() if each == ours)


def _display_name(group: RuleGroup, folder: str) -> str:
    """Return the title where an import would make the group's name of it, else the name."""
    made = {Names().of(group.title), Names().of(f"{folder} {group.title}")}
    return group.title if group.title and group.name in made else group.name


def _uid(*parts: str) -> str:
    """Return the same uid for the same rule each time."""
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:_LONGEST_UID]
