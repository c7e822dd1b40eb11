"""Formats accept what users mean and refuse the rest with what to write."""

import pytest

from detectviz.pluginhost.formats import FORMATS


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("uri", "https://example.org/a?b=c#d"),
        ("uri", "http://[::1]:8080/"),
        ("uri", "http://127.0.0.1:9000/"),
        ("hostname", "example.org"),
        ("hostname", "localhost"),
        ("hostname", "a_b.example.org."),
        ("hostname", "127.0.0.1"),
        ("hostname", "::1"),
        ("hostname", "bücher.example"),
        ("duration", "1h30m"),
        ("regex", r"^\d+$"),
        ("timezone", "Europe/Berlin"),
        ("cron", "*/5 * * * *"),
        ("calendar", "Mon..Fri 08:30"),
        ("email", "ops+alerts@example.org"),
        ("date-time", "2026-01-31T08:00:00Z"),
    ],
)
def test_good_values_pass(name: str, text: str) -> None:
    assert FORMATS[name](text) is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("uri", "example.org"),
        ("uri", "/path"),
        ("uri", "http://"),
        ("uri", "http://a b/"),
        ("uri", "http://a\r\nHost: b/"),
        ("uri", "http://a:99999/"),
        ("hostname", ""),
        ("hostname", "https://example.org"),
        ("hostname", "a..b"),
        ("hostname", "-a"),
        ("hostname", "a" * 64),
        ("hostname", "a b"),
        ("duration", "soon"),
        ("regex", "("),
        ("regex", r"(a)\1"),
        ("regex", "x" * 5000),
        ("timezone", "Mars/Olympus"),
        ("cron", "every day"),
        ("cron", "0 0 31 2 *"),
        ("calendar", "25:00"),
        ("timezone", "../../etc/passwd"),
        ("email", "ops"),
        ("email", "a@b.example\nBcc: c@d.example"),
        ("email", "a@b.example, c@d.example"),
        ("date-time", "2026-01-31T08:00:00"),
        ("date-time", "tomorrow"),
    ],
)
def test_wrong_values_get_a_hint(name: str, text: str) -> None:
    hint = FORMATS[name](text)
    assert hint is not None
    assert hint.startswith(("Write", "Remove", "Shorten"))
