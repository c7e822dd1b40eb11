"""A mailbox as a plugin sees it: mail is looked for by its Message-ID, and taken out."""

from dataclasses import dataclass, field
from typing import Literal, Protocol

from detectviz.contracts.network import TlsOptions

MailboxSecurity = Literal["tls", "starttls", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxAccess:
    """Where a mailbox is and how one logs in; ``timeout_s`` bounds all of a visit."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    security: MailboxSecurity = "tls"
    folder: str = "INBOX"
    tls: TlsOptions = field(default_factory=TlsOptions)
    timeout_s: float = 10.0


class Mailbox(Protocol):
    """What a notifier may do with mailboxes, from a worker thread."""

    def take(self, access: MailboxAccess, message_id: str) -> bool:
        """Delete the mail with ``message_id`` and return whether it was there.

        Raise NetworkError where the server can't be reached, DeliveryError where it says no.
        """
