"""Mails thread by alert group and survive hostile labels."""

from dataclasses import replace
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import cast

import pytest

from detectviz.contracts.errors import DeliveryError
from detectviz.contracts.mailbox import MailboxAccess
from detectviz.contracts.notifier import MailMessage, Notification, Notifier, NotifierContext
from detectviz.contracts.read_back import NotReadableError, ReadsBack, Told
from detectviz.contracts.types import AlertStatus, JsonObject, JsonValue, PluginKind
from detectviz.pluginhost.configuration import validate
from detectviz.testing.notifiers import (
    FakeMail,
    NotifierSuite,
    hostile_notification,
    make_alert,
    make_notification,
    make_notifier_context,
    notification_with_actions,
    templated_notification,
)
from detectviz.testing.plugins import built_in_plugins

TO: JsonObject = {"to": ["ops@example.org"]}


class TestConformance(NotifierSuite):
    name = "email"

    @pytest.fixture
    def good_context(self) -> NotifierContext:
        return make_notifier_context("email", TO)

    @pytest.fixture
    def bad_context(self) -> NotifierContext:
        failure = DeliveryError("The mail server refused.", reason="serverError")
        return make_notifier_context("email", TO, mail=FakeMail(failure=failure))


def _send(notification: Notification, config: JsonObject = TO) -> MailMessage:
    mail = FakeMail()
    notifier: Notifier = built_in_plugins().load(PluginKind.NOTIFIER, "email")
    receipt = notifier.notify(notification, make_notifier_context("email", config, mail=mail))
    (message,) = mail.sent
    assert receipt.external_id == message.headers["Message-ID"]
    return message


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]


def test_the_subject_is_alertmanagers() -> None:
    config: JsonObject = {**TO, "subject_prefix": "[acme]"}
    alerts = [make_alert(monitor="a"), make_alert(monitor="b")]
    message = _send(make_notification(*alerts), config)
    assert message.subject == "[acme] [FIRING:2] HomeDown (critical)"


def test_a_resolved_group_and_a_test_say_so() -> None:
    assert _send(make_notification(status=AlertStatus.RESOLVED)).subject.startswith("[RESOLVED] ")
    assert _send(make_notification(is_test=True)).subject.startswith("[TEST] [FIRING:1]")


def test_both_parts_tell_labels_annotations_and_links() -> None:
    message = _send(make_notification(make_alert(monitor="home"), truncated_alerts=4))
    for text in ("monitor", "home is down", "https://detectviz.example/o/acme/alerts/1"):
        assert text in message.text
        assert text in message.html
    assert "4 more alerts" in message.text
    assert "4 more alerts" in message.html


def test_recipients_are_the_configured_ones() -> None:
    config: JsonObject = {**TO, "cc": ["boss@example.org"], "reply_to": ["team@example.org"]}
    message = _send(make_notification(), config)
    assert (message.to, message.cc) == (("ops@example.org",), ("boss@example.org",))
    assert message.reply_to == ("team@example.org",)
    assert message.sender == ""


def test_the_html_part_can_be_left_out() -> None:
    assert _send(make_notification(), {**TO, "html": False}).html == ""


def test_mails_of_a_group_thread_and_a_repeated_delivery_is_recognisable() -> None:
    first = _send(make_notification()).headers
    again = _send(make_notification()).headers
    later = _send(replace(make_notification(status=AlertStatus.RESOLVED), delivery_id="2")).headers
    other = _send(replace(make_notification(), group_key="other")).headers
    assert first == again
    assert later["References"] == first["References"]
    assert later["Message-ID"] != first["Message-ID"]
    assert other["References"] != first["References"]
    assert first["Message-ID"].endswith("@detectviz.example>")


@pytest.mark.parametrize("url", ["", "http://[", "https://a>b/", "nonsense"])
def test_headers_are_whole_whatever_the_external_url(url: str) -> None:
    headers = _send(replace(make_notification(), external_url=url)).headers
    assert headers["Message-ID"].endswith("@detectviz.invalid>")


def test_hostile_labels_break_neither_headers_nor_markup() -> None:
    message = _send(hostile_notification())
    mail = EmailMessage()
    mail["Subject"] = message.subject
    for name, value in message.headers.items():
        mail[name] = value
    assert mail["Bcc"] is None
    assert len(message.subject) <= 200
    tags = _Tags()
    tags.feed(message.html)
    assert not tags.seen & {"script", "img"}
    assert all(link.startswith("https://detectviz.example") for link in tags.links)
    assert "\u202e" not in message.text + message.html + message.subject
    message.text.encode()
    message.html.encode()


def test_a_link_that_is_no_web_address_is_left_out() -> None:
    alert = replace(make_alert(), generator_url="javascript:alert(1)")
    assert "javascript" not in _send(make_notification(alert)).html


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({}, "/to"),
        ({"to": []}, "/to"),
        ({"to": ["a@b.example, c@d.example"]}, "/to/0"),
        ({"to": ["a@b.example\nBcc: x@y.example"]}, "/to/0"),
        ({**TO, "subject_prefix": "a\nb"}, "/subject_prefix"),
        ({**TO, "from": "ceo@example.org"}, "/from"),
    ],
)
def test_a_wrong_configuration_names_its_field(config: JsonObject, field: str) -> None:
    schema = built_in_plugins().manifest(PluginKind.NOTIFIER, "email").config_schema
    assert field in {problem.field for problem in validate(schema, config, {}).problems}


def test_the_operators_text_takes_the_place_of_the_layout() -> None:
    message = _send(templated_notification())
    assert message.subject == "Own title 4711"
    assert message.text.startswith("Own text 0815")
    assert "Own text 0815" in message.html
    assert "home is down" not in message.html


def test_actions_and_the_page_that_stops_mails_are_links() -> None:
    message = _send(notification_with_actions())
    stop = "https://detectviz.example/o/acme/contact-points/c/ops"
    for text in ("https://detectviz.example/callbacks/4ct10n", stop):
        assert text in message.text
        assert text in message.html
    assert message.headers["List-Unsubscribe"] == f"<{stop}>"
    assert message.headers["List-Id"] == "<ops-acme.detectviz.example>"


def test_without_an_address_of_our_own_nothing_is_linked() -> None:
    message = _send(replace(make_notification(), external_url="", url=""))
    assert "List-Unsubscribe" not in message.headers
    assert "Change who is told" not in message.html


class _Mailbox:
    """A mailbox with one mail."""

    def __init__(self, message_id: str) -> None:
        self.message_id = message_id
        self.visits: list[MailboxAccess] = []

    def take(self, access: MailboxAccess, message_id: str) -> bool:
        self.visits.append(access)
        return message_id == self.message_id


def test_a_mail_is_taken_out_of_the_mailbox_again() -> None:
    notifier = built_in_plugins().load(PluginKind.NOTIFIER, "email")
    config: JsonObject = {**TO, "imap_host": "imap.example.org", "imap_username": "probe"}
    receipt = notifier.notify(make_notification(), make_notifier_context("email", config))
    told = Told(notification=make_notification(), external_id=receipt.external_id)
    mailbox = _Mailbox(receipt.external_id)
    secrets: dict[str, JsonValue] = {"imap_password": "s3cr3t"}
    context = make_notifier_context("email", config, secrets, mailbox=mailbox)
    assert cast("ReadsBack", notifier).read_back(told, context)
    (access,) = mailbox.visits
    assert (access.host, access.port, access.username) == ("imap.example.org", 993, "probe")
    assert (access.security, access.folder) == ("tls", "INBOX")
    assert "s3cr3t" not in repr(access)
    with pytest.raises(NotReadableError, match="server, user and password"):
        cast("ReadsBack", notifier).read_back(
            told, make_notifier_context("email", TO, mailbox=mailbox)
        )
