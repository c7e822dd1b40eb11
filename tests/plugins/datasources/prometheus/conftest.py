"""Private servers, one each per session of tests."""

from collections.abc import Iterator

import pytest

from detectviz.testing.backends import prometheus, victoria_metrics

PASSWORD = "reader-secret-71"


@pytest.fixture(scope="session")
def prometheus_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    flags = ("--enable-feature=exemplar-storage",)
    with prometheus(tmp_path_factory.mktemp("prometheus"), flags=flags) as (port, _):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def victoria_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    flags = ("-httpAuth.username=reader", f"-httpAuth.password={PASSWORD}")
    # Its own health page wants no password.
    with victoria_metrics(tmp_path_factory.mktemp("victoria"), flags=flags) as (port, _):
        yield f"http://127.0.0.1:{port}/"
