import pytest

from detectviz.contracts.types import JsonObject
from detectviz.testing.cache import CacheConformance


class TestMemory(CacheConformance):
    name = "memory"
    is_shared = False

    @pytest.fixture
    def config(self) -> JsonObject:
        return {}

    def test_what_was_not_used_for_longest_goes_first(self) -> None:
        with self.opened({"max_entries": 10}) as cache:
            cache.set({str(number): b"x" for number in range(10)}, ttl_s=None)
            cache.get(["0"])
            cache.set({"new": b"x"}, ttl_s=None)
            assert set(cache.get(["0", "1", "2", "new"])) == {"0", "2", "new"}
