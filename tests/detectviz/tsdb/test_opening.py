from pathlib import Path

import pytest

from detectviz.tsdb.embedded import EmbeddedStore
from detectviz.tsdb.interface import StoreError
from detectviz.tsdb.opening import open_store
from detectviz.tsdb.victoriametrics import VictoriaMetricsStore


def test_no_url_means_a_file_in_the_data_directory(tmp_path: Path) -> None:
    store = open_store("", data_dir=tmp_path)
    assert isinstance(store, EmbeddedStore)
    assert (tmp_path / "series.sqlite").exists()
    store.close()


def test_victoriametrics_is_chosen_by_scheme(tmp_path: Path) -> None:
    store = open_store("victoriametrics+http://127.0.0.1:8428/vm", data_dir=tmp_path)
    assert isinstance(store, VictoriaMetricsStore)


@pytest.mark.parametrize(
    "url", ["prometheus+http://h:9090", "mimir+http://h", "http://h", "victoriametrics+http://"]
)
def test_other_urls_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no series store for|names no host") as caught:
        open_store(url, data_dir=tmp_path)
    assert not caught.value.retryable
