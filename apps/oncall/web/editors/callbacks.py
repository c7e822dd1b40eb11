"""How a door for buttons of a chat is edited: the form, and the text one begins with."""

from apps.oncall.services.signatures import chat_services, chat_titles
from detectviz.contracts.types import JsonObject
from detectviz.web.pages import PageRequest
from detectviz.web.scope import OrgScope
from detectviz.web.specs import SpecEditor

_FIRST = "slack"
_EXAMPLE = """\
title: Buttons of the on-call channel
service: slack             # or telegram, discord, mattermost, feishu, generic
secrets:
  key: ""                  # by which the service is known: its page says what
enabled: true
"""


def _keys() -> str:
    known = (f"{each.title}: {each.callback['key']}." for each in chat_services().values())
    return " ".join([*known, "Else: any long secret."])


def _schema(_scope: OrgScope) -> JsonObject:
    key: JsonObject = {
        "type": "string",
        "title": "Key of the service",
        "writeOnly": True,
        "description": _keys(),
    }
    return {
        "type": "object",
        "required": ["service"],
        "properties": {
            "title": {
                "type": "string",
                "title": "Title",
                "x-placeholder": "Buttons of the on-call channel",
            },
            "service": {
                "type": "string",
                "title": "Service",
                "enum": [*chat_titles()],
                "default": _FIRST,
                "x-labels": dict(chat_titles()),
            },
            "secrets": {
                "type": "object",
                "title": "How it is known",
                "properties": {"key": key},
            },
            "enabled": {"type": "boolean", "title": "Switched on", "default": True},
        },
    }


def _start(_request: PageRequest, _scope: OrgScope) -> JsonObject:
    return {"service": _FIRST}


def _example(_request: PageRequest, _scope: OrgScope) -> str:
    return _EXAMPLE


CALLBACK_EDITOR = SpecEditor(
    api_version="notifications/v1",
    kind="ChatCallback",
    noun="chat callback",
    title="Chat buttons",
    lead="A door through which a chat tells which button somebody pressed.",
    schema=_schema,
    start=_start,
    example=_example,
    list_route="oncall:callback-list",
    detail_route="oncall:callback-detail",
)
