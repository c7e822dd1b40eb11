"""A notification as a short title and a plain text, for every notifier that has no form of its own.

The words are those of Alertmanager's default templates. Labels and annotations come from outside:
control characters are taken out and lengths are capped here, markup is the notifier's business.
"""

from collections.abc import Iterator

from detectviz.contracts.notifier import Notification, NotifiedAlert
from detectviz.contracts.types import AlertStatus, Labels

_ELLIPSIS = "…"


def title_of(notification: Notification, *, max_characters: int = 200) -> str:
    """Return the title the host rendered, else one like ``[FIRING:2] HomeDown (web critical)``.

    Values of the group labels, then in parentheses those of the other common labels.
    """
    if notification.title:
        return one_line(notification.title, max_characters=max_characters)
    status = notification.status.value.upper()
    if notification.status is AlertStatus.FIRING:
        status = f"{status}:{len(notification.firing) + notification.truncated_alerts}"
    test = "[TEST] " if notification.is_test else ""
    group = " ".join(notification.group_labels.values())
    others = " ".join(
        value
        for name, value in sorted(notification.common_labels.items())
        if name not in notification.group_labels
    )
    tail = f"({others})" if others else ""
    return one_line(f"{test}[{status}] {group} {tail}", max_characters=max_characters)


def text_of(notification: Notification, *, max_characters: int = 8_000) -> str:
    """Return the text the host rendered, else what ``details_of`` says."""
    if notification.text:
        return cut_characters(clean(notification.text).strip(), max_characters)
    return details_of(notification, max_characters=max_characters)


def details_of(notification: Notification, *, max_characters: int = 8_000) -> str:
    """Return every alert as plain text: firing before resolved, labels sorted, links last."""
    lines = [
        *_section("Firing", notification.firing),
        *_section("Resolved", notification.resolved),
    ]
    if notification.truncated_alerts:
        lines += [f"{notification.truncated_alerts} more alerts are not shown.", ""]
    if notification.url:
        lines.append(clean(notification.url))
    return cut_characters("\n".join(lines).strip(), max_characters)


def label_lines(labels: Labels) -> Iterator[str]:
    """Yield ``name = value`` for each label, by name, each on one line."""
    for name, value in sorted(labels.items()):
        yield one_line(f"{name} = {value}", max_characters=1_000)


def one_line(text: str, *, max_characters: int) -> str:
    """Return ``text`` on one line without control characters, runs of space made one, cut."""
    return cut_characters(" ".join(clean(text).split()), max_characters)


def clean(text: str) -> str:
    """Return ``text`` without control and direction-changing characters; line ends stay."""
    return "".join(character for character in text if character == "\n" or _is_shown(character))


def _section(heading: str, alerts: tuple[NotifiedAlert, ...]) -> Iterator[str]:
    if not alerts:
        return
    yield f"{heading} ({len(alerts)})"
    for alert in alerts:
        yield ""
        yield from (f"  {line}" for line in label_lines(alert.labels))
        yield from (f"  {line}" for line in label_lines(alert.annotations))
        yield f"  since {alert.starts_at:%Y-%m-%d %H:%M:%S %Z}"
        if alert.generator_url:
            yield f"  {one_line(alert.generator_url, max_characters=2_000)}"
    yield ""


def _is_shown(character: str) -> bool:
    # Bidirectional overrides can make a text read as another one.
    return (character.isprintable() or character in "\t\u200d") and character not in "\u2028\u2029"


def cut_characters(text: str, max_characters: int) -> str:
    """Return ``text`` with at most so many characters, the last one an ellipsis where cut."""
    if len(text) <= max_characters:
        return text
    return text[: max_characters - 1] + _ELLIPSIS
