"""The one table of Alertmanager's integrations and our notifiers, read in both directions.

A field is carried over where it stands in ``fields`` and the notifier's schema has it too, under
the same name or the one in ``renamed``; the schema also says which fields are secrets. So a
notifier that lands later is carried over without a change here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    """One list of a receiver, such as ``slack_configs``, and the notifier it becomes.

    ``bearer`` names the secret that the credentials of ``http_config`` are, ``implied`` what
    Alertmanager means by a field left out, where the notifier means something else by it.
    ``common`` says to which key of ``global`` a field defaults, ``lost`` why one has no
    counterpart, ``headers`` which headers of mails have a field of their own here.
    """

    notifier: str
    fields: tuple[str, ...]
    renamed: Mapping[str, str] = field(default_factory=dict)
    common: Mapping[str, str] = field(default_factory=dict)
    lost: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    bearer: str = ""
    implied: Mapping[str, str] = field(default_factory=dict)
    sends_resolved: bool = True
    takes_http: bool = False  # has the authentication and TLS fields of our webhook
    is_exported: bool = True  # False: another list becomes the same notifier


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_DEPLOYMENT_MAIL = "mail leaves through the server of the deployment (DETECTVIZ_SMTP_*)"
_OWN_TEXTS = "texts of mails come from notification templates"
FILE_LOST = "files are not read; enter the value"
_MAIL_FIELDS = _words(
    "from hello smarthost auth_username auth_password auth_secret auth_identity require_tls"
    " tls_config force_implicit_tls implicit_tls threading"
)
_TEAMS_FIELDS = _words("webhook_url title text summary")

INTEGRATIONS: Mapping[str, Integration] = MappingProxyType(
    {
        "webhook_configs": Integration(
            notifier="webhook",
            fields=_words("url max_alerts"),
            lost={"timeout": "every attempt has 15 s"},
            takes_http=True,
        ),
        "email_configs": Integration(
            notifier="email",
            fields=_words("to"),
            headers={"cc": "cc", "reply-to": "reply_to"},
            lost={
                **dict.fromkeys(_MAIL_FIELDS, _DEPLOYMENT_MAIL),
                "html": _OWN_TEXTS,
                "text": _OWN_TEXTS,
            },
            sends_resolved=False,
        ),
        "slack_configs": Integration(
            notifier="slack",
            fields=_words(
                "api_url app_token app_url channel update_message title title_link text pretext"
                " message_text fallback color footer username icon_emoji icon_url image_url"
                " thumb_url fields short_fields actions callback_id mrkdwn_in link_names"
            ),
            common={
                "api_url": "slack_api_url",
                "app_token": "slack_app_token",
                "app_url": "slack_app_url",
            },
            bearer="app_token",
            sends_resolved=False,
        ),
        "pagerduty_configs": Integration(
            notifier="pagerduty",
            fields=_words(
                "routing_key url client client_url description severity source class component"
                " group details images links"
            ),
            common={"url": "pagerduty_url"},
            lost={"service_key": "make a routing key of Events API v2"},
            implied={"severity": "error"},
        ),
        "telegram_configs": Integration(
            notifier="telegram",
            fields=_words(
                "bot_token chat_id message_thread_id message parse_mode disable_notifications"
                " api_url"
            ),
            common={"api_url": "telegram_api_url", "bot_token": "telegram_bot_token"},
            implied={"updates": "new"},
        ),
        "discord_configs": Integration(
            notifier="discord",
            fields=_words("webhook_url title message content username avatar_url"),
        ),
        "msteams_configs": Integration(notifier="teams", fields=_TEAMS_FIELDS, is_exported=False),
        "msteamsv2_configs": Integration(notifier="teams", fields=_TEAMS_FIELDS),
        "opsgenie_configs": Integration(
            notifier="opsgenie",
            fields=_words(
                "api_key api_url message description source details entity responders actions tags"
                " note priority update_alerts"
            ),
            common={"api_key": "opsgenie_api_key", "api_url": "opsgenie_api_url"},
        ),
        "pushover_configs": Integration(
            notifier="pushover",
            fields=_words(
                "user_key token title message html monospace url url_title device sound priority"
                " retry expire ttl"
            ),
            implied={"priority": '{{ if eq .Status "firing" }}2{{ else }}0{{ end }}'},
        ),
        "wechat_configs": Integration(
            notifier="wecom",
            fields=_words(
                "api_secret corp_id agent_id to_user to_party to_tag message_type message api_url"
            ),
            common={
                "api_secret": "wechat_api_secret",
                "corp_id": "wechat_api_corp_id",
                "api_url": "wechat_api_url",
            },
            implied={"message_type": "text"},
            sends_resolved=False,
        ),
        "victorops_configs": Integration(
            notifier="victorops",
            fields=_words(
                "api_key api_url routing_key message_type state_message entity_display_name"
                " monitoring_tool custom_fields"
            ),
            common={"api_key": "victorops_api_key", "api_url": "victorops_api_url"},
            implied={"message_type": "CRITICAL"},
        ),
        "webex_configs": Integration(
            notifier="webex",
            fields=_words("api_url message room_id"),
            common={"api_url": "webex_api_url"},
            bearer="bot_token",
            implied={"updates": "new"},
        ),
        "sns_configs": Integration(
            notifier="sns",
            fields=_words(
                "api_url sigv4 topic_arn phone_number target_arn subject message attributes"
            ),
        ),
        "rocketchat_configs": Integration(
            notifier="rocketchat",
            fields=_words(
                "api_url token_id token channel color emoji icon_url text title title_link"
                " image_url thumb_url fields short_fields actions link_names"
            ),
            common={
                "api_url": "rocketchat_api_url",
                "token": "rocketchat_token",
                "token_id": "rocketchat_token_id",
            },
        ),
        "mattermost_configs": Integration(
            notifier="mattermost",
            fields=_words("webhook_url channel username icon_url icon_emoji text priority"),
            common={"webhook_url": "mattermost_webhook_url"},
        ),
    }
)
