"""How a door for buttons of a chat is edited: the form, and the text one begins with."""

from apps.oncall.enums import ChatService
from detectviz.contracts.types import JsonObject
from detectviz.web.pages import PageRequest
from detectviz.web.scope import OrgScope
from detectviz.web.specs import SpecEditor

_EXAMPLE = """\
title: Buttons of the on-call channel
service: slack             # slack, telegram, discord or generic
secrets:
  key: ""                  # Slack: signing secret; Telegram: secret_token; Discord: public key
enabled: true
"""


def _schema(_scope: OrgScope) -> JsonObject:
    key: JsonObject = {
        "type": "string",
        "title": "Key of the service",
        "writeOnly": True,
        "description": "Slack: the signing secret of the app. Telegram: the secret_token of "
        "setWebhook, which you choose. Discord: the public key of the application. Else: any "
        "long secret.",
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
                "enum": ChatService.values,
                "default": ChatService.SLACK.value,
                "x-labels": {**dict(ChatService.choices), "generic": "Signed by oneself"},
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
    return {"service": ChatService.SLACK.value}


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
