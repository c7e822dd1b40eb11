"""Mails are found by Message-ID and taken out, by TLS and without, within bounds."""

from collections.abc import Iterator
from typing import Any

import pytest

from detectviz.contracts.errors import DeliveryError, EgressDeniedError, NetworkError
from detectviz.contracts.mailbox import MailboxAccess
from detectviz.contracts.network import TlsOptions
from detectviz.net.guard import EgressPolicy
from detectviz.net.http import SyncHttpClient
from detectviz.net.imap import ImapMailbox
from detectviz.testing.http_server import TestAuthority, silent_port
from detectviz.testing.imap_server import ImapServer, imap_server

WANTED = "<delivery.1@detectviz.example>"


@pytest.fixture(scope="module")
def authority() -> TestAuthority:
    return TestAuthority()


@pytest.fixture
def mailbox() -> Iterator[ImapMailbox]:
    http = SyncHttpClient(EgressPolicy(allow_private=True))
    yield ImapMailbox(http)
    http.close()


def access(port: int, **changes: Any) -> MailboxAccess:
    given = {"username": "probe", "password": "pass word", "security": "none", "timeout_s": 5.0}
    return MailboxAccess(host="127.0.0.1", port=port, **{**given, **changes})


def test_a_mail_is_taken_out_once_and_others_stay(mailbox: ImapMailbox) -> None:
    with imap_server(ImapServer(mails={3: "<other@x>", 7: WANTED})) as server:
        assert mailbox.take(access(server.port), WANTED)
        assert server.mails == {3: "<other@x>"}
        assert not mailbox.take(access(server.port), WANTED)


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_tls_is_spoken_and_the_certificate_looked_at(
    mailbox: ImapMailbox, authority: TestAuthority, security: Any
) -> None:
    served = ImapServer(mails={1: WANTED})
    setattr(served, security, authority.server_context())
    with imap_server(served) as server:
        with pytest.raises(NetworkError, match="certificate"):
            mailbox.take(access(server.port, security=security), WANTED)
        trusted = TlsOptions(ca_pem=authority.ca_pem)
        assert mailbox.take(access(server.port, security=security, tls=trusted), WANTED)


def test_a_server_without_starttls_gets_no_password(mailbox: ImapMailbox) -> None:
    with imap_server(ImapServer()) as server, pytest.raises(NetworkError, match="TLS"):
        mailbox.take(access(server.port, security="starttls"), WANTED)


def test_refusals_name_what_to_change(mailbox: ImapMailbox) -> None:
    with imap_server(ImapServer()) as server:
        with pytest.raises(DeliveryError, match="check user and password") as refused:
            mailbox.take(access(server.port, password="wr\u00f6ng"), WANTED)
        assert (refused.value.reason, refused.value.permanent) == ("authError", True)
        with pytest.raises(DeliveryError, match="there is no folder Alerts"):
            mailbox.take(access(server.port, folder="Alerts"), WANTED)
        with pytest.raises(DeliveryError, match="one line each"):
            mailbox.take(access(server.port, folder="x\r\nA1 DELETE INBOX"), WANTED)


def test_a_server_that_floods_or_stands_still_is_left(mailbox: ImapMailbox) -> None:
    with imap_server(ImapServer(flood=True)) as server, pytest.raises(NetworkError):
        mailbox.take(access(server.port), WANTED)
    with silent_port() as port, pytest.raises(NetworkError):
        mailbox.take(access(port, timeout_s=0.3), WANTED)


def test_a_server_the_egress_policy_denies_is_not_reached() -> None:
    http = SyncHttpClient(EgressPolicy())
    with imap_server(ImapServer()) as server, pytest.raises(EgressDeniedError):
        ImapMailbox(http).take(access(server.port), WANTED)
    http.close()
