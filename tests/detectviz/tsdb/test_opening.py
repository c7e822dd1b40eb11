import re
from pathlib import Path

import pytest

from detectviz.tsdb.embedded import EmbeddedStore
from detectviz.tsdb.interface import StoreError
from detectviz.tsdb.opening import open_store
from detectviz.tsdb.sending.store import RemoteStore


def test_no_url_means_a_file_in_the_data_directory(tmp_path: Path) -> None:
    store = open_store("", data_dir=tmp_path)
    assert isinstance(store, EmbeddedStore)
    assert (tmp_path / "series.sqlite").exists()
    store.close()


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("victoriametrics+http://127.0.0.1:8428/vm", "victoriametrics"),
        ("victoriametrics+https://h:8480?cluster=0&select=http://h:8481", "victoriametrics"),
        ("victoriametrics+http://h?cluster=per-org", "victoriametrics"),
        ("victoriametrics+http://h?cluster=42:7", "victoriametrics"),
        ("prometheus+http://h:9090?histograms=yes&queue_bytes=512MiB", "prometheus"),
        ("mimir+https://u:p@h/base?tenant_header=THANOS-TENANT&write_path=/x", "mimir"),
        ("mimir+http://h?read=http://other:9090&queue_age=1h&timeout=5s", "mimir"),
    ],
)
def test_backends_are_chosen_by_scheme(url: str, kind: str, tmp_path: Path) -> None:
    store = open_store(url, data_dir=tmp_path)
    assert isinstance(store, RemoteStore)
    assert store.describe() == kind
    store.close()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://h", "no series store for 'http'"),
        ("influx+http://h", "no series store for"),
        ("victoriametrics+http://", "names no host"),
        ("prometheus+http://h:x", "Port could not be cast"),
        ("prometheus+http://h?hist=yes", "there is no option 'hist'"),
        ("prometheus+http://h?histograms=1", "neither yes nor no"),
        ("prometheus+http://h?tenant_header=X", "there is no option 'tenant_header'"),
        ("prometheus+http://h#x", "#fragment"),
        ("mimir+http://h?tenant_header=a%20b", "no name of a header"),
        ("mimir+http://h?write_path=push", "no path such as"),
        ("mimir+http://h?read=other:9090", "is no http:// or https:// URL"),
        ("victoriametrics+http://h?cluster=x", "no account"),
        ("victoriametrics+http://h?cluster=4294967296", "no account"),
        ("victoriametrics+http://h?select=http://g", "belongs to a cluster"),
        ("victoriametrics+http://h?queue_bytes=much", "no size such as 512MiB"),
        ("victoriametrics+http://h?queue_age=0s", "no duration such as"),
        ("victoriametrics+http://h?timeout=soon", "no duration such as"),
    ],
)
def test_a_wrong_url_is_refused_with_a_sentence(url: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=re.escape(reason)) as caught:
        open_store(url, data_dir=tmp_path)
    assert not caught.value.retryable
