"""The one table of Grafana's receiver types and our notifiers, read in both directions.

Source: the settings of contact points in Grafana's documentation of provisioning. A setting is
carried over where the notifier's schema has its field; the schema also says which are secrets.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    """A type of receivers and the notifier it becomes.

    ``fields`` says which setting becomes which of our fields; ``lists`` which of them are lists
    here and text there, ``seconds`` which are durations here and seconds there. ``texts`` are the
    settings that are the receiver's own title and text. ``lost`` says what to do about others,
    ``silent`` which mean nothing here, ``implied`` what the type means by a field left out.
    """

    notifier: str
    fields: Mapping[str, str]
    lists: frozenset[str] = frozenset()
    seconds: frozenset[str] = frozenset()
    texts: Mapping[str, str] = field(default_factory=dict)
    lost: Mapping[str, str] = field(default_factory=dict)
    silent: frozenset[str] = frozenset()
    implied: Mapping[str, str] = field(default_factory=dict)


def _same(text: str, **renamed: str) -> Mapping[str, str]:
    return {name: name for name in text.split()} | renamed


_MENTIONS: Final = "Write the mention into the text, and allow mentions in the receiver."
_IMAGES: Final = "Screenshots of panels are not sent."
INTEGRATIONS: Final[Mapping[str, Integration]] = MappingProxyType(
    {
        "email": Integration(
            notifier="email",
            fields={"addresses": "to"},
            lists=frozenset({"to"}),
            texts={"subject": "title_template", "message": "text_template"},
            lost={"singleEmail": "All addresses get one mail; make a receiver for each address."},
        ),
        "slack": Integration(
            notifier="slack",
            fields=_same(
                "username icon_emoji icon_url title text color footer",
                url="api_url",
                token="app_token",  # noqa: S106 - the name of a field
                recipient="channel",
                endpointUrl="app_url",
            ),
            lost=dict.fromkeys(("mentionUsers", "mentionGroups", "mentionChannel"), _MENTIONS),
        ),
        "webhook": Integration(
            notifier="webhook",
            fields=_same(
                "url username password headers",
                httpMethod="method",
                maxAlerts="max_alerts",
                authorization_credentials="bearer_token",
            ),
            lost={
                "title": "The body is Alertmanager's; put it into an annotation.",
                "message": "The body is Alertmanager's; put it into an annotation.",
                "payload": "The body is Alertmanager's; use a script for another.",
                "hmacConfig": "Set secret: bodies are signed as Standard Webhooks says.",
                "http_config": "Enter authentication in the receiver.",
            },
        ),
        "prometheus-alertmanager": Integration(
            notifier="alertmanager",
            fields={"url": "url", "basicAuthUser": "username", "basicAuthPassword": "password"},
        ),
        "dingding": Integration(
            notifier="dingtalk",
            fields=_same("title message", url="webhook_url", msgType="message_type"),
        ),
        "discord": Integration(
            notifier="discord",
            fields=_same("title avatar_url", url="webhook_url", message="message"),
            lost={"use_discord_username": "Set username in the receiver."},
        ),
        "googlechat": Integration(
            notifier="googlechat",
            fields=_same("title message", url="webhook_url"),
            implied={"updates": "new"},
            lost={"hide_open_button": "", "hide_version_info": ""},
        ),
        "teams": Integration(
            notifier="teams",
            fields=_same("title", url="webhook_url", message="text"),
            lost={"sectiontitle": "Put it into the text."},
        ),
        "opsgenie": Integration(
            notifier="opsgenie",
            fields=_same("message description responders", apiKey="api_key", apiUrl="api_url"),
            lost={
                "overridePriority": "Set priority, it may be a template of og_priority.",
                "sendTagsAs": "Set tags and details in the receiver.",
            },
            silent=frozenset({"autoClose"}),
        ),
        "pagerduty": Integration(
            notifier="pagerduty",
            fields=_same(
                "severity class component group source client client_url details url",
                integrationKey="routing_key",
                summary="description",
            ),
            implied={"severity": "critical"},
        ),
        "pushover": Integration(
            notifier="pushover",
            fields=_same(
                "priority retry expire device sound title message",
                apiToken="token",
                userKey="user_key",
            ),
            seconds=frozenset({"retry", "expire"}),
            lost={
                "okPriority": "Write priority as a template of .Status.",
                "okSound": "Write sound as a template of .Status.",
                "uploadImage": _IMAGES,
            },
        ),
        "telegram": Integration(
            notifier="telegram",
            fields=_same(
                "message_thread_id message parse_mode disable_notifications protect_content",
                bottoken="bot_token",
                chatid="chat_id",
            ),
            implied={"updates": "new"},
            lost={"disable_web_page_preview": "Previews of links are never shown."},
        ),
        "victorops": Integration(
            notifier="victorops",
            fields=_same(
                "api_url api_key routing_key",
                messageType="message_type",
                title="entity_display_name",
                description="state_message",
            ),
        ),
        "wecom": Integration(
            notifier="wecom",
            fields=_same(
                "corp_id agent_id message",
                url="webhook_url",
                secret="api_secret",  # noqa: S106 - the name of a field
                touser="to_user",
                msgtype="message_type",
                endpointUrl="api_url",
            ),
            lost={"title": "Put it into the message."},
        ),
        "sns": Integration(
            notifier="sns",
            fields=_same(
                "api_url sigv4 topic_arn phone_number target_arn subject attributes",
                body="message",
                message="message",
            ),
        ),
        "webex": Integration(
            notifier="webex",
            fields=_same("bot_token room_id message api_url"),
            implied={"updates": "new"},
        ),
        "mattermost": Integration(
            notifier="mattermost",
            fields=_same("channel username icon_url icon_emoji title text", url="webhook_url"),
            implied={"updates": "new"},
        ),
    }
)
# Types no notifier stands for, and what comes nearest.
UNKNOWN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "kafka": "Use a webhook to Kafka's REST proxy, or the event bus.",
        "mqtt": "Use apprise, it knows mqtt://.",
        "threema": "Use apprise, it knows threema://.",
        "sensugo": "Use a webhook or a script.",
        "jira": "Use a webhook that makes issues.",
        "line": "LINE Notify has ended: make a line receiver with a channel access token.",
        "oncall": "Use escalations and schedules here, or a webhook to its address.",
    }
)
BY_NOTIFIER: Final[Mapping[str, str]] = MappingProxyType(
    {one.notifier: name for name, one in INTEGRATIONS.items()}
)
