"""Prometheus' rule files: to manifests and back."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import models

from apps.alerting.models import RuleGroup
from apps.alerting.selectors import rulegroup_queryset
from apps.alerting.services.policy_specs import POLICY_FIELDS
from apps.alerting.services.rule_specs import RULE_FIELDS
from detectviz.contracts.durations import format_duration
from detectviz.resources.errors import InvalidFieldsError
from detectviz.resources.formats import Conversion, Exported, Loss

_GROUP_FIELDS = ("interval", "limit", "query_offset", "labels", "rules")
_OURS_ONLY = ("no_data", "on_error", "enabled", "queries", "condition", *POLICY_FIELDS)
_UNFIT = re.compile(r"[^a-z0-9]+")  # noqa: TID251 - our own constant
_LONGEST_NAME = 63


def rule_file_to_manifests(data: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return a RuleGroup manifest per group of a rule file; None when ``data`` is none.

    A group's name becomes a DNS-1123 name (``Node Exporter`` → ``node-exporter``), the title
    keeps it as written. Raise InvalidFieldsError naming the field that can't be understood.
    """
    if "groups" not in data or data.keys() - {"groups"}:
        return None
    groups = data["groups"] or []
    if not isinstance(groups, list):
        raise InvalidFieldsError({"groups": ["Must be a list of rule groups."]})
    manifests, taken = [], set[str]()
    for index, group in enumerate(groups):
        path = f"groups[{index}]"
        _check_group(group, path)
        name = _free_name(str(group["name"]), taken)
        taken.add(name)
        spec = {key: group[key] for key in _GROUP_FIELDS if group.get(key) is not None}
        if "labels" in spec:
            spec["labels"] = _as_texts(spec["labels"])
        spec["rules"] = [_rule(rule) for rule in spec.get("rules", [])]
        manifests.append(
            {
                "apiVersion": "alerting/v1",
                "kind": "RuleGroup",
                "metadata": {"name": name},
                "spec": {"title": str(group["name"])[:200], **spec},
            }
        )
    return manifests


def rule_file_read(data: Mapping[str, Any]) -> Conversion | None:
    """Return a rule file as manifests and losses; None when ``data`` is none."""
    manifests = rule_file_to_manifests(data)
    if manifests is None:
        return None
    lost = [
        Loss(
            path=f"groups[{index}].partial_response_strategy",
            why="queries of an org have one store, which answers whole or not at all",
        )
        for index, group in enumerate(data["groups"] or ())
        if group.get("partial_response_strategy")
    ]
    origins = [f"groups[{index}]" for index in range(len(manifests))]
    return Conversion(manifests=manifests, losses=lost, origins=origins)


def rule_file_export(*, org: models.Model) -> Exported:
    """Return an org's groups as one rule file, and what Prometheus has no word for."""
    manifests = [rulegroup_manifest(group) for group in rulegroup_queryset(org.pk)]
    split = [text.partition(": ") for text in rule_file_losses(manifests)]
    return Exported(
        document=manifests_to_rule_file(manifests),
        losses=[Loss(path=path, why=why) for path, _, why in split],
    )


def _check_group(group: object, path: str) -> None:
    if not isinstance(group, Mapping):
        raise InvalidFieldsError({path: ["Must be a rule group."]})
    unknown = group.keys() - {*_GROUP_FIELDS, "name", "partial_response_strategy"}
    if unknown:
        name = min(map(str, unknown))
        raise InvalidFieldsError({f"{path}.{name}": ["Unknown field of a rule group."]})
    if not group.get("name"):
        raise InvalidFieldsError({f"{path}.name": ["A rule group needs a name."]})
    if not isinstance(group.get("rules") or [], list):
        raise InvalidFieldsError({f"{path}.rules": ["Must be a list of rules."]})


def _rule(rule: object) -> object:
    """Give labels and annotations the texts YAML's scalars stand for, as Prometheus reads them."""
    if not isinstance(rule, Mapping):
        return rule
    texts = {
        key: _as_texts(rule[key]) for key in ("labels", "annotations") if rule.get(key) is not None
    }
    plain = {"expr": _as_text(rule["expr"])} if "expr" in rule else {}
    return {key: value for key, value in rule.items() if value is not None} | plain | texts


def _as_texts(mapping: object) -> object:
    if not isinstance(mapping, Mapping):
        return mapping
    return {str(key): _as_text(value) for key, value in mapping.items()}


def _as_text(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _free_name(text: str, taken: set[str]) -> str:
    base = _UNFIT.sub("-", text.lower()).strip("-")[:_LONGEST_NAME].strip("-") or "rules"
    name, number = base, 2
    while name in taken:
        suffix = f"-{number}"
        name, number = base[: _LONGEST_NAME - len(suffix)].rstrip("-") + suffix, number + 1
    return name


def rulegroup_manifest(group: RuleGroup) -> dict[str, Any]:
    """Return what a rule file is made of: the group's rules as written."""
    spec = {
        "title": group.title,
        "interval": format_duration(group.interval_ms / 1000),
        "limit": group.limit,
        "query_offset": format_duration(group.query_offset_ms / 1000),
        "labels": group.shared_labels,
        "enabled": group.is_enabled,
        "rules": group.spec_rules,
    }
    return {"metadata": {"name": group.name}, "spec": spec}


def manifests_to_rule_file(manifests: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return RuleGroup manifests as a rule file Prometheus reads; what only we know is left out.

    So are rules that ask datasources: Prometheus can't.
    """
    groups = []
    for manifest in manifests:
        spec = manifest["spec"]
        group = {
            key: spec[key] for key in _GROUP_FIELDS if spec.get(key) not in (None, {}, 0, "0s")
        }
        fields = RULE_FIELDS - set(_OURS_ONLY)
        group["rules"] = [
            {key: value for key, value in rule.items() if key in fields}
            for rule in spec.get("rules", [])
            if rule.get("enabled", True) and not rule.get("queries")
        ]
        name = spec.get("title") or manifest["metadata"]["name"]
        groups.append({"name": name, **group})
    return {"groups": groups}


def rule_file_losses(manifests: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return what a rule file can't say of RuleGroup manifests, a line for each loss."""
    losses: list[str] = []
    for manifest in manifests:
        name, spec = manifest["metadata"]["name"], manifest["spec"]
        if not spec.get("enabled", True):
            losses.append(f"{name}: the group is switched off, its rules would be evaluated")
        for rule in spec.get("rules", []):
            losses += [f"{name}/{_name(rule)}: {text}" for text in _rule_losses(rule)]
    return losses


def _name(rule: Mapping[str, Any]) -> str:
    return str(rule.get("alert") or rule.get("record"))


def _rule_losses(rule: Mapping[str, Any]) -> list[str]:
    if rule.get("queries"):
        return ["left out: it asks datasources"]
    if not rule.get("enabled", True):
        return ["left out: it is switched off"]
    return [f"{name} is lost" for name in sorted(_OURS_ONLY) if rule.get(name) not in _UNSAID]


_UNSAID: tuple[object, ...] = (None, False, True, "", [])
