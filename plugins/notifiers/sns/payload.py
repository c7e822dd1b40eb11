"""The parameters of SNS' Publish."""

import hashlib
from collections.abc import Iterator
from typing import Final

from detectviz.contracts.alert_blocks import (
    LONGEST_TEXT,
    buttons_of,
    fitted,
    plain_markup,
    utf8_size,
    whole_text,
)
from detectviz.contracts.config import get_text, get_text_map
from detectviz.contracts.message import details_of, one_line, title_of
from detectviz.contracts.notifier import Notification
from detectviz.contracts.posting import incident_key
from detectviz.contracts.rendering import short_text
from detectviz.contracts.types import JsonObject

_LONGEST: Final = 250_000  # of 256 kB, attributes included
_LONGEST_PHONE: Final = 1_600
_LONGEST_SUBJECT: Final = 99
_FIFO: Final = ".fifo"
_PLAIN: Final = plain_markup(utf8_size)


def build_fields(notification: Notification, config: JsonObject) -> list[tuple[str, str]]:
    """Return the form of Publish."""
    topic, phone = get_text(config, "topic_arn").strip(), get_text(config, "phone_number").strip()
    is_phone = bool(phone) and not topic
    fields = {
        "Action": "Publish",
        "Version": "2010-03-31",
        "TopicArn": topic,
        "PhoneNumber": phone if is_phone else "",
        "TargetArn": "" if topic or phone else get_text(config, "target_arn").strip(),
        "Subject": "" if is_phone else _subject(notification, config),
        "Message": _message(notification, config, is_phone=is_phone),
    }
    if topic.endswith(_FIFO):
        said_once = f"{notification.org}\n{notification.delivery_id}"
        fields["MessageGroupId"] = incident_key(notification)
        fields["MessageDeduplicationId"] = hashlib.sha256(said_once.encode()).hexdigest()
    given = [(name, value) for name, value in fields.items() if value]
    return [*given, *_attributes(config)]


def _subject(notification: Notification, config: JsonObject) -> str:
    """Return a subject as SNS takes it: ASCII, one line, under 100 characters."""
    text = get_text(config, "subject") or title_of(notification)
    line = one_line(text.encode("ascii", "replace").decode(), max_characters=10_000)
    return line if len(line) <= _LONGEST_SUBJECT else f"{line[: _LONGEST_SUBJECT - 3]}..."


def _message(notification: Notification, config: JsonObject, *, is_phone: bool) -> str:
    longest = _LONGEST_PHONE if is_phone else _LONGEST
    if own := get_text(config, "message"):
        return fitted(own, _PLAIN, max_size=longest)
    if notification.is_templated:
        text = whole_text(notification)
    elif is_phone:
        text = f"{title_of(notification)}\n{short_text(notification)}"
    else:
        text = details_of(notification, max_characters=LONGEST_TEXT)
    links = "\n".join(f"{each.title}: {each.url}" for each in buttons_of(notification))
    return f"{fitted(text, _PLAIN, max_size=longest - utf8_size(links) - 2)}\n\n{links}".strip()


def _attributes(config: JsonObject) -> Iterator[tuple[str, str]]:
    for place, (name, value) in enumerate(get_text_map(config, "attributes").items(), start=1):
        entry = f"MessageAttributes.entry.{place}"
        yield f"{entry}.Name", name
        yield f"{entry}.Value.DataType", "String"
        yield f"{entry}.Value.StringValue", value
