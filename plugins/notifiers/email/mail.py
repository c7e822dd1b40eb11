"""The e-mail notifier."""

import hashlib
from urllib.parse import urlsplit

from detectviz.contracts.config import get_bool, get_int, get_text, get_texts
from detectviz.contracts.mailbox import MailboxAccess, MailboxSecurity
from detectviz.contracts.message import clean, details_of, one_line, text_of, title_of
from detectviz.contracts.notifier import MailMessage, Notification, NotifierContext, Receipt
from detectviz.contracts.posting import tls_of
from detectviz.contracts.read_back import NotReadableError, Told
from detectviz.contracts.rendering import web_url
from plugins.notifiers.email.rendering import contact_point_url, render_html

_LONGEST_SUBJECT = 200
_PORTS: dict[MailboxSecurity, int] = {"tls": 993, "starttls": 143, "none": 143}


class EmailNotifier:
    """Sends one mail; all mails of one alert group make a thread."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Hand one mail to the deployment's mail server; its DeliveryError passes through."""
        config = context.config
        prefix = get_text(config, "subject_prefix")
        text = _text(notification)
        message = MailMessage(
            to=get_texts(config, "to"),
            cc=get_texts(config, "cc"),
            reply_to=get_texts(config, "reply_to"),
            subject=one_line(f"{prefix} {title_of(notification)}", max_characters=_LONGEST_SUBJECT),
            text=text,
            html=render_html(notification) if get_bool(config, "html", default=True) else "",
            headers=_headers(notification),
        )
        message_id = context.mail.send(message)
        digest = hashlib.sha256(f"{message.subject}\n{text}\n{message.html}".encode())
        return Receipt(external_id=message_id, request_digest=digest.hexdigest())

    def read_back(self, told: Told, context: NotifierContext) -> bool:
        """Take the mail out of one of its mailboxes and return whether it was there."""
        config, password = context.config, context.secrets.get("imap_password")
        host = get_text(config, "imap_host").strip()
        if not host or not password or context.mailbox is None:
            raise NotReadableError("Set server, user and password of a mailbox to read back from.")
        named = get_text(config, "imap_security")
        security: MailboxSecurity = next((each for each in _PORTS if each == named), "tls")
        access = MailboxAccess(
            host=host,
            port=get_int(config, "imap_port") or _PORTS[security],
            username=get_text(config, "imap_username"),
            password=password,
            security=security,
            folder=get_text(config, "imap_folder") or "INBOX",
            tls=tls_of(config),
            timeout_s=context.timeout_s,
        )
        return context.mailbox.take(access, told.external_id)


def _text(notification: Notification) -> str:
    """Return the operator's own text, else every alert; then what can be done about them."""
    told = text_of(notification) if notification.is_templated else details_of(notification)
    links = [(action.title, action.url) for action in notification.actions]
    links.append(("Change who is told", contact_point_url(notification)))
    known = [f"{clean(title)}: {url}" for title, url in links if web_url(url)]
    return "\n\n".join(filter(None, (told, "\n".join(known))))


def _headers(notification: Notification) -> dict[str, str]:
    """Return headers that thread mails of one group and drop duplicates of one delivery.

    The thread's first message never exists: each mail refers to a made-up one (RFC 5322, 3.6.4),
    so that the first mail of a group needs no memory of having been the first.
    """
    domain = _domain(notification.external_url)
    group = _digest(notification.org, notification.receiver, notification.group_key)
    thread = f"<group.{group}@{domain}>"
    return {
        "Message-ID": f"<delivery.{_digest(notification.delivery_id, group)}@{domain}>",
        "In-Reply-To": thread,
        "References": thread,
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "List-Id": f"<{_list_name(notification)}.{domain}>",
        **({"List-Unsubscribe": f"<{stop}>"} if (stop := contact_point_url(notification)) else {}),
    }


def _list_name(notification: Notification) -> str:
    return "".join(
        letter if letter.isascii() and letter.isalnum() else "-"
        for letter in f"{notification.receiver}-{notification.org}"
    )[:100]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()[:32]


def _domain(external_url: str) -> str:
    try:
        host = urlsplit(external_url).hostname or ""
    except ValueError:
        host = ""
    is_name = host.isascii() and host.replace("-", "").replace(".", "").isalnum()
    return host if is_name else "detectviz.invalid"
