import pytest

from detectviz.contracts.masking import MASK, masked


@pytest.mark.parametrize(
    "value",
    [
        {"secrets": {"harmless": "hunter2"}},
        {"secure_json_data": {"a": {"b": ["hunter2"]}}},
        {"password": "hunter2"},
        {"db_passwd": "hunter2"},
        {"apiKey": "hunter2"},
        {"api_key": "hunter2"},
        {"headers": {"Authorization": "hunter2"}},
        {"a": [{"webhook_secret": "hunter2"}]},
        {"telegram_token": ["hunter2"]},
        {"private_key": {"pem": "hunter2"}},
        {"url": "https://user:hunter2@example.org/"},
        {"url": "postgresql://user:hunter2@host/db"},
        {"note": "use dv_0123456789ab_hunter2hunter2hunter2"},
        {"dv_0123456789ab_hunter2hunter2hunter2": 1},
        {"password": 12345, "x": "hunter2"[:0]},
    ],
)
def test_a_secret_is_hidden_wherever_it_stands(value: object) -> None:
    text = str(masked(value))
    assert "hunter2" not in text
    assert "12345" not in text


def test_what_is_no_secret_stays() -> None:
    value = {
        "name": "web",
        "url": "https://example.org/a:b@c",
        "token_url": "https://example.org/token",
        "count": 3,
        "is_on": True,
        "none": None,
        "list": [1, "two"],
    }
    assert masked(value) == value


def test_that_a_secret_is_set_stays_visible() -> None:
    value = {"secrets": {"token": {"set": True}}, "password": None}
    assert masked(value) == value
    assert masked({"secrets": {"token": {"set": "hunter2"}}}) == {
        "secrets": {"token": {"set": MASK}}
    }


def test_the_original_is_left_alone() -> None:
    value = {"secrets": {"token": "hunter2"}}
    masked(value)
    assert value == {"secrets": {"token": "hunter2"}}


def test_depth_is_bounded() -> None:
    value: dict[str, object] = {}
    for _ in range(1000):
        value = {"a": value}
    assert MASK in str(masked(value))
