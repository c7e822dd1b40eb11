"""The form of a rule group."""

from collections.abc import Mapping, Sequence
from typing import Any

from apps.alerting.models import RuleGroup
from detectviz.contracts.types import JsonObject
from detectviz.pluginhost.forms import FormField, form_fields
from detectviz.resources.yaml import MalformedYamlError, dump_documents, load_documents
from detectviz.web.forms import Errors

_RECOVERY, _FLAPPING, _LIMIT = "Recovery", "Flapping", "Limit"

_POLICIES: JsonObject = {
    "recovery_expr": {
        "type": "string",
        "title": "Recovery expression",
        "x-group": _RECOVERY,
        "x-show-if": {"kind": "alert", "asks": "series"},
        "x-widget": "code",
        "format": "promql",
        "x-placeholder": "node_load1 < 2",
        "description": "What fires goes on until this holds for its labels. Empty: until the "
        "expression no longer holds.",
    },
    "recovery_condition": {
        "type": "string",
        "title": "Recovery condition",
        "x-group": _RECOVERY,
        "x-show-if": {"kind": "alert", "asks": "datasources"},
        "x-placeholder": "C",
        "description": "The query whose numbers, where they are not 0, end what fires.",
    },
    "high_flap_threshold": {
        "type": "integer",
        "title": "Flaps from (%)",
        "x-group": _FLAPPING,
        "x-show-if": {"kind": "alert"},
        "x-placeholder": "50",
        "description": "How much of its last 21 evaluations an alert changed, newer changes "
        "counting more. Empty: nobody looks.",
    },
    "low_flap_threshold": {
        "type": "integer",
        "title": "Until (%)",
        "x-group": _FLAPPING,
        "x-show-if": {"kind": "alert"},
        "x-placeholder": "25",
        "description": "It is quiet again when it changed no more than this.",
    },
    "hold_while_flapping": {
        "type": "boolean",
        "title": "Tell nobody while it flaps",
        "default": False,
        "x-group": _FLAPPING,
        "x-show-if": {"kind": "alert"},
    },
    "depends_on": {
        "type": "string",
        "title": "Depends on",
        "x-group": "Depends on",
        "x-show-if": {"kind": "alert"},
        "x-widget": "code",
        "x-placeholder": "- RouterDown\n- {group: network, equal: [site]}",
        "description": "YAML: a list of rules, or of maps with rule, group, matchers and equal. "
        "While one of them fires, new alerts of this rule are told to nobody.",
    },
    "limit": {
        "type": "integer",
        "title": "Most alerts",
        "x-group": _LIMIT,
        "x-show-if": {"kind": "alert"},
        "description": "With more, the rule is in error and has none. Empty: the group's limit.",
    },
}
_RULE: JsonObject = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "kind": {
            "type": "string",
            "title": "Kind",
            "enum": ["alert", "record"],
            "default": "alert",
            "x-labels": {"alert": "Alert", "record": "Record a series"},
        },
        "name": {
            "type": "string",
            "title": "Name",
            "x-placeholder": "CheckoutDown",
            "description": "The alert's name, or of the series that is recorded.",
        },
        "asks": {
            "type": "string",
            "title": "Asks",
            "enum": ["series", "datasources"],
            "default": "series",
            "x-labels": {"series": "The organisation's series", "datasources": "Any datasource"},
        },
        "queries": {
            "type": "string",
            "title": "Queries and expressions",
            "x-widget": "code",
            "x-show-if": {"asks": "datasources"},
            "x-placeholder": "- ref_id: A\n  datasource: warehouse\n  model: {sql: …}",
            "description": "YAML or JSON: a list of ref_id, datasource (name, or __expr__ for an"
            " expression), relative_from and the model that the datasource reads.",
        },
        "condition": {
            "type": "string",
            "title": "Condition",
            "x-placeholder": "B",
            "x-show-if": {"asks": "datasources"},
            "description": "The query whose numbers decide: an alert for each that is not 0.",
        },
        "expr": {
            "type": "string",
            "title": "Expression",
            "x-show-if": {"asks": "series"},
            "x-widget": "code",
            "format": "promql",
            "x-placeholder": 'probe_success{monitor="home"} == 0',
            "description": "PromQL. An alert exists for every series this returns.",
        },
        "for": {
            "type": "string",
            "title": "For",
            "format": "duration",
            "x-placeholder": "0s",
            "x-show-if": {"kind": "alert"},
            "description": "How long it must hold before the alert fires.",
        },
        "keep_firing_for": {
            "type": "string",
            "title": "Keep firing for",
            "format": "duration",
            "x-placeholder": "0s",
            "x-show-if": {"kind": "alert"},
            "description": "How long it goes on firing when it no longer holds.",
        },
        "enabled": {"type": "boolean", "title": "Enabled", "default": True},
        "labels": {
            "type": "object",
            "title": "Labels",
            "description": "Added to the alert; routes select by them. Templates are allowed.",
        },
        "annotations": {
            "type": "object",
            "title": "Annotations",
            "x-show-if": {"kind": "alert"},
            "description": "summary, description, runbook_url … Templates are allowed.",
        },
        "no_data": {
            "type": "string",
            "title": "Without data",
            "enum": ["ok", "alerting", "no_data", "keep_last"],
            "default": "ok",
            "x-labels": {
                "ok": "All is well",
                "alerting": "Fire",
                "no_data": "Fire as no data",
                "keep_last": "Keep the state",
            },
            "x-group": "When data is missing",
            "x-show-if": {"kind": "alert"},
        },
        "on_error": {
            "type": "string",
            "title": "On an error",
            "enum": ["keep_last", "alerting", "error", "ok"],
            "default": "keep_last",
            "x-labels": {
                "keep_last": "Keep the state",
                "alerting": "Fire",
                "error": "Fire as an error",
                "ok": "All is well",
            },
            "x-group": "When data is missing",
            "x-show-if": {"kind": "alert"},
        },
        "missing_series_evaluations": {
            "type": "integer",
            "title": "Evaluations without its series",
            "x-group": "When data is missing",
            "x-show-if": {"kind": "alert"},
            "description": "How many of them end an alert whose series is gone while others are "
            "there. Empty: at once, for rules that ask datasources 2.",
        },
        **_POLICIES,
    },
}
_GROUP: JsonObject = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "title": {"type": "string", "title": "Title", "x-placeholder": "Web shop"},
        "name": {
            "type": "string",
            "title": "Name",
            "x-placeholder": "web-shop",
            "description": "Lowercase letters, digits and dashes; it can't be changed later.",
        },
        "interval": {
            "type": "string",
            "title": "Interval",
            "format": "duration",
            "default": "1m",
            "description": "How often the rules are evaluated, in order.",
        },
        "rules": {"type": "array", "title": "Rules", "items": _RULE},
        "query_offset": {
            "type": "string",
            "title": "Query offset",
            "format": "duration",
            "default": "0s",
            "x-group": "More",
            "description": "Evaluate as of this long ago, for series that arrive late.",
        },
        "limit": {
            "type": "integer",
            "title": "Limit",
            "default": 0,
            "x-group": "More",
            "description": "Most alerts or series a rule may make; 0 is no limit.",
        },
        "labels": {
            "type": "object",
            "title": "Labels of all rules",
            "x-group": "More",
            "description": "A rule's own label of the same name wins.",
        },
    },
}


def group_fields(*, is_new: bool) -> tuple[FormField, ...]:
    """Return the fields of a rule group."""
    return tuple(each for each in form_fields(_GROUP) if is_new or each.name != "name")


def document_of(group: RuleGroup | None, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the form shows of a stored group; a new one begins with one empty rule."""
    if group is None:
        return {"rules": [{}]}
    rules: Sequence[Mapping[str, Any]] = spec["rules"]
    return {**spec, "name": group.name, "rules": [_shown(rule) for rule in rules]}


def document_propose(document: dict[str, Any], asked: Mapping[str, str]) -> dict[str, Any]:
    """Show a proposal in the rule it is for: ``rule`` names it, ``for`` and ``expr`` are new."""
    changes = {name: asked[name] for name in ("for", "expr") if asked.get(name)}
    rules = [
        {**rule, **changes} if rule.get("name") == asked.get("rule") else rule
        for rule in document["rules"]
    ]
    return {**document, "rules": rules}


def spec_of(document: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """Return the spec of a submitted document; ``base`` has what the form does not ask."""
    kept = {key: base[key] for key in ("enabled", "evaluation") if key in base}
    own = {key: value for key, value in document.items() if key not in {"name", "rules"}}
    return {**kept, **own, "rules": [rule_of(rule) for rule in document.get("rules", [])]}


def rule_of(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rule in Prometheus' own fields."""
    rule = {key: value for key, value in shown.items() if key not in {"kind", "name", "asks"}}
    kind = "record" if shown.get("kind") == "record" else "alert"
    if rule.get("enabled") is True:
        rule.pop("enabled")
    if not rule.get("hold_while_flapping"):
        rule.pop("hold_while_flapping", None)
    depends_on = yaml_of(rule.pop("depends_on", None))
    if depends_on:
        rule["depends_on"] = depends_on
    named = {kind: shown.get("name", "")}
    if shown.get("asks") == "datasources":
        rule.pop("expr", None)
        asked: dict[str, Any] = {"queries": yaml_of(rule.pop("queries", "")), "condition": ""}
    else:
        asked = {"expr": ""}
        for name in ("queries", "condition"):
            rule.pop(name, None)
    return {**named, **asked, **{k: v for k, v in rule.items() if v != {}}}


def yaml_of(text: object) -> object:
    """Return what is written as YAML or JSON; a text that is neither stays what it is."""
    if not isinstance(text, str):
        return text
    try:
        documents = load_documents(text)
    except MalformedYamlError:
        return text
    return documents[0] if len(documents) == 1 else text


def shown_errors(errors: Errors) -> Errors:
    """Move the errors of ``alert`` and ``record`` to the field that asks for the name."""
    moved: dict[str, list[str]] = {}
    for name, messages in errors.items():
        rule, is_query, rest = name.partition("/queries/")
        if is_query:
            place = f"{rule}/queries"
            told = [f"{rest.replace('/', '.')}: {message}" for message in messages]
            moved.setdefault(place, []).extend(told)
            continue
        rule, is_parent, rest = name.partition("/depends_on/")
        if is_parent:
            told = [f"{int(rest) + 1}: {message}" for message in messages]
            moved.setdefault(f"{rule}/depends_on", []).extend(told)
            continue
        head, _, last = name.rpartition("/")
        place = f"{head}/name" if head and last in {"alert", "record"} else name
        moved.setdefault(place, []).extend(messages)
    return moved


def _shown(rule: Mapping[str, Any]) -> dict[str, Any]:
    kind = "record" if "record" in rule else "alert"
    rest = {key: value for key, value in rule.items() if key not in {"alert", "record"}}
    if rest.get("depends_on"):
        rest["depends_on"] = dump_documents([rest["depends_on"]])
    if "queries" in rest:
        unsaid = {"no_data": "no_data", "on_error": "error"}  # what it means not to say it
        text = dump_documents([rest["queries"]])
        rest = {**unsaid, **rest, "asks": "datasources", "queries": text}
    return {"kind": kind, "name": rule[kind], **rest}
