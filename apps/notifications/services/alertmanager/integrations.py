"""The one table of Alertmanager's integrations and our notifiers, read in both directions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    """One list of a receiver, such as ``slack_configs``, and the notifier it becomes.

    ``config`` and ``secrets`` map Alertmanager's field to ours, ``common`` a field to the key of
    ``global`` it defaults to, ``lost`` a field to the reason it has no counterpart.
    """

    notifier: str
    config: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    common: Mapping[str, str] = field(default_factory=dict)
    lost: Mapping[str, str] = field(default_factory=dict)
    lists: frozenset[str] = frozenset()  # one text with commas there, a list here
    headers: Mapping[str, str] = field(default_factory=dict)  # of mails: header to field
    sends_resolved: bool = True
    takes_http: bool = False  # has the authentication and TLS fields of our webhook


_DEPLOYMENT_MAIL = "mail leaves through the server of the deployment (DETECTVIZ_SMTP_*)"
_OWN_TEXTS = "texts come from notification templates"
FILE_LOST = "files are not read; enter the value"

INTEGRATIONS: Mapping[str, Integration] = MappingProxyType(
    {
        "webhook_configs": Integration(
            notifier="webhook",
            config={"url": "url", "max_alerts": "max_alerts"},
            lost={"timeout": "every attempt has 15 s"},
            takes_http=True,
        ),
        "email_configs": Integration(
            notifier="email",
            config={"to": "to"},
            lists=frozenset({"to", "cc", "reply_to"}),
            headers={"cc": "cc", "reply-to": "reply_to"},
            lost={
                **dict.fromkeys(
                    (
                        "from",
                        "hello",
                        "smarthost",
                        "auth_username",
                        "auth_password",
                        "auth_secret",
                        "auth_identity",
                        "require_tls",
                        "tls_config",
                        "force_implicit_tls",
                        "implicit_tls",
                        "threading",
                    ),
                    _DEPLOYMENT_MAIL,
                ),
                "html": _OWN_TEXTS,
                "text": _OWN_TEXTS,
            },
            sends_resolved=False,
        ),
    }
)
