"""How inhibition rules are edited."""

from detectviz.contracts.types import JsonObject
from detectviz.web.pages import PageRequest
from detectviz.web.scope import OrgScope
from detectviz.web.specs import SpecEditor

_MATCHERS = 'name="value", name!="value", name=~"regex" or name!~"regex"'
_EXAMPLE = """\
title: A host that is down says enough
source_matchers:           # while an alert like this is firing …
  - alertname="HostDown"
target_matchers:           # … nobody is told of alerts like these
  - severity="warning"
equal: [host]              # where these labels are the same on both
enabled: true
"""


def _matchers(title: str, about: str, placeholder: str) -> JsonObject:
    return {
        "type": "array",
        "items": {"type": "string"},
        "title": title,
        "description": f"{about} Every one must match: {_MATCHERS}.",
        "x-placeholder": placeholder,
    }


def _schema(_scope: OrgScope) -> JsonObject:
    return {
        "type": "object",
        "required": ["source_matchers", "target_matchers"],
        "properties": {
            "title": {
                "type": "string",
                "title": "Title",
                "x-placeholder": "A host that is down says enough",
            },
            "source_matchers": _matchers(
                "Source: while an alert like this is firing",
                "Silenced alerts count too.",
                'alertname="HostDown"',
            ),
            "target_matchers": _matchers(
                "Target: nobody is told of alerts like these",
                "What matches both sides is not muted by others that do.",
                'severity="warning"',
            ),
            "equal": {
                "type": "array",
                "items": {"type": "string"},
                "title": "Equal labels",
                "x-placeholder": "host",
                "description": "Source and target must agree on them; a missing one equals an "
                "empty one. Without any, one source mutes every target.",
            },
            "enabled": {"type": "boolean", "title": "The rule is in force", "default": True},
        },
    }


def _example(_request: PageRequest, _scope: OrgScope) -> str:
    return _EXAMPLE


INHIBITION_EDITOR = SpecEditor(
    api_version="alerting/v1",
    kind="InhibitionRule",
    noun="inhibition rule",
    title="Inhibition",
    lead="While one alert is firing, nobody is told of others that only follow from it.",
    schema=_schema,
    example=_example,
    list_route="notifications:inhibitionrule-list",
    detail_route="notifications:inhibitionrule-detail",
    preview_route="notifications:inhibitionrule-preview",
)
