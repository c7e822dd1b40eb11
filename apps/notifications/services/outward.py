"""What the host lends a notifier: HTTP behind the egress guard, mail, the operator's scripts."""

import logging
import smtplib
from collections.abc import Mapping
from email.utils import make_msgid
from functools import cache
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives

from apps.monitors.services.network import commands_host
from detectviz.clock import utc_now
from detectviz.contracts.errors import DeliveryError
from detectviz.contracts.notifier import MailMessage, MailSender, NotifierContext
from detectviz.contracts.types import JsonObject
from detectviz.net.http import SyncHttpClient
from detectviz.net.imap import ImapMailbox
from detectviz.runtime.egress import egress_policy

PERMANENT_FROM = 500


@cache
def http_client() -> SyncHttpClient:
    """Return the process's HTTP client for notifiers."""
    return SyncHttpClient(egress_policy())


class DjangoMail(MailSender):
    """Sends through Django's configured mail backend."""

    def send(self, message: MailMessage) -> str:
        """Send and return the Message-ID; a refusal of the address or the login is permanent."""
        message_id = message.headers.get("Message-ID") or make_msgid(domain="detectviz")
        mail = EmailMultiAlternatives(
            subject=message.subject,
            body=message.text,
            from_email=message.sender or settings.DEFAULT_FROM_EMAIL,
            to=list(message.to),
            cc=list(message.cc),
            reply_to=list(message.reply_to),
            headers={**message.headers, "Message-ID": message_id},
        )
        if message.html:
            mail.attach_alternative(message.html, "text/html")
        try:
            mail.send()
        except smtplib.SMTPResponseException as error:
            raise _refusal(error.smtp_code, error.smtp_error) from error
        except smtplib.SMTPRecipientsRefused as error:
            code, text = next(iter(error.recipients.values()))
            raise _refusal(code, text) from error
        except (smtplib.SMTPException, OSError) as error:
            server = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
            raise DeliveryError(
                f"The mail server {server} can't be used: {error}. Check DETECTVIZ_SMTP_*.",
                reason="serverError",
            ) from error
        return message_id


def notifier_context(
    *,
    notifier: str,
    config: Mapping[str, Any],
    secrets: Mapping[str, str],
    timeout_s: float,
    thread: JsonObject,
    org: str,
) -> NotifierContext:
    """Return the context of one delivery."""
    return NotifierContext(
        config=config,
        secrets=secrets,
        timeout_s=timeout_s,
        http=http_client(),
        mail=DjangoMail(),
        now=utc_now,
        logger=logging.getLogger(f"detectviz.notifiers.{notifier}"),
        thread=thread,
        scripts=commands_host().blocking_runner(org),
        mailbox=ImapMailbox(http_client()),
    )


def _refusal(code: int, answer: bytes | str) -> DeliveryError:
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    return DeliveryError(
        f"The mail server refused: {code} {text}",
        reason="clientError" if code >= PERMANENT_FROM else "serverError",
        permanent=code >= PERMANENT_FROM,
        status_code=code,
        answer=text,
    )
