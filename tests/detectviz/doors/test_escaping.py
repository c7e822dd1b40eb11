"""Names escaped as Prometheus' UTF-8 specification says."""

import pytest

from detectviz.doors.escaping import label_name_unescape, name_underscored


@pytest.mark.parametrize(
    ("escaped", "name"),
    [
        ("job", "job"),
        ("U__http_2e_status", "http.status"),
        ("U__a__b", "a_b"),
        ("U__", ""),
        ("U___1f600_", "😀"),
        ("U__broken_zz_", "U__broken_zz_"),
        ("U__open_2e", "U__open_2e"),
        ("U__far_1234567_", "U__far_1234567_"),
        ("U__beyond_ffffff_", "U__beyond_ffffff_"),
    ],
)
def test_a_name_is_found_behind_its_escapes(escaped: str, name: str) -> None:
    assert label_name_unescape(escaped) == name


@pytest.mark.parametrize(
    ("name", "classic"), [("up", "up"), ("my.metric", "my_metric"), ("5xx:é", "_5xx:_")]
)
def test_a_classic_name_has_underscores_for_the_rest(name: str, classic: str) -> None:
    assert name_underscored(name) == classic
