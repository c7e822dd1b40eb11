from datetime import UTC, datetime

import pytest

from detectviz.web.templatetags.web import ago, duration, percent, state_pill


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0, "0 s"),
        (0.000_25, "250 µs"),
        (0.0345, "34.5 ms"),
        (1.5, "1.5 s"),
        (300, "5 min"),
        (90_000, "25 h"),
        (864_000, "10 d"),
    ],
)
def test_durations_choose_their_unit(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(None, "-"), (1, "100 %"), (0.999_99, "99.99 %"), (0.5, "50 %"), (0, "0 %")],
)
def test_an_uptime_below_one_is_never_shown_as_hundred(ratio: float | None, text: str) -> None:
    assert percent(ratio) == text


def test_a_state_is_told_by_word_and_icon() -> None:
    html = state_pill("down")
    assert "Down" in html
    assert "#circle-x" in html


def test_an_unknown_state_shows_its_own_name() -> None:
    assert "Half open" in state_pill("half_open")


def test_a_time_carries_its_instant_for_the_browser() -> None:
    assert 'datetime="2026-03-01T12:00:00+00:00"' in ago(datetime(2026, 3, 1, 12, tzinfo=UTC))
    assert ago(None) == "never"
