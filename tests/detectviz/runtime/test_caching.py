from pathlib import Path

import pytest
from django.core.cache import cache
from pytest_django import Settings

from detectviz.contracts.errors import ConfigurationError
from detectviz.runtime.caching import PrefixedCache, cache_connection


@pytest.fixture(params=["memory", "database"])
def _cache(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> None:
    if request.param == "database":
        settings.CACHE_URL = f"sqlite://{tmp_path}/cache.sqlite"
    cache.clear()


@pytest.mark.usefixtures("_cache")
def test_values_of_all_kinds_come_back() -> None:
    cache.set_many({"number": 7, "yes": True, "rows": [{"a": 1.5}], "none": None})
    found = cache.get_many(["number", "yes", "rows", "none", "missing"])
    assert found == {"number": 7, "yes": True, "rows": [{"a": 1.5}], "none": None}
    assert found["yes"] is True


@pytest.mark.usefixtures("_cache")
def test_it_does_what_django_expects_of_a_cache() -> None:
    assert cache.add("key", 1)
    assert not cache.add("key", 2)
    assert cache.incr("key", 2) == 3
    assert cache.touch("key", 60)
    assert not cache.touch("missing")
    assert cache.delete("key")
    assert not cache.delete("key")
    with pytest.raises(ValueError, match="not found"):
        cache.incr("key")
    cache.set("text", "x")
    with pytest.raises(ValueError, match="no number"):
        cache.incr("text")
    cache.set("gone", 1, timeout=0)
    assert cache.get("gone", "default") == "default"


@pytest.mark.usefixtures("_cache")
def test_a_part_of_the_cache_sees_its_entries_only() -> None:
    one, two = PrefixedCache("one:"), PrefixedCache("two:")
    one.set({"key": b"1"}, ttl_s=60)
    assert two.get(["key"]) == {}
    assert one.get(["key"]) == {"key": b"1"}


@pytest.mark.parametrize(
    ("url", "config", "said"),
    [
        ("pigeon://x", "", "DETECTVIZ_CACHE_URL: "),
        ("memory://", '{"max_entries": 1}', "DETECTVIZ_CACHE_URL: cache/memory: /max_entries"),
        ("memory://", "[]", "DETECTVIZ_CACHE_CONFIG is no JSON object"),
    ],
)
def test_a_wrong_choice_names_its_setting(
    settings: Settings, url: str, config: str, said: str
) -> None:
    settings.CACHE_URL, settings.CACHE_CONFIG = url, config
    with pytest.raises(ConfigurationError) as told:
        cache_connection()
    assert str(told.value).startswith(said)
