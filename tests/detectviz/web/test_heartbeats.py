from datetime import UTC, datetime

from detectviz.web.heartbeats import Beat, heartbeat_svg, summary

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_the_bar_always_has_the_same_number_of_places() -> None:
    few = heartbeat_svg([Beat(state="up", at=AT)], slots=30)
    many = heartbeat_svg([Beat(state="up", at=AT)] * 90, slots=30)
    assert few.count("<rect") == many.count("<rect") == 30


def test_the_bar_says_in_words_what_it_shows() -> None:
    beats = [Beat(state="up"), Beat(state="up"), Beat(state="down")]
    assert summary(beats) == "Last 3 checks: 2 up, 1 down"
    assert 'aria-label="Last 3 checks: 2 up, 1 down"' in heartbeat_svg(beats)
    assert summary([]) == "No checks yet"


def test_a_remark_cannot_break_out_of_the_picture() -> None:
    svg = heartbeat_svg([Beat(state="down", note="</title><script>")])
    assert "<script>" not in svg
