"""On Prometheus and VictoriaMetrics as Debian has them."""

import pytest

from detectviz.contracts.datasource import DatasourceSettings
from detectviz.contracts.network import HttpClient
from detectviz.net.http import SyncHttpClient
from detectviz.testing.datasource_fakes import datasource_settings
from detectviz.testing.datasources import DatasourceConformance
from tests.plugins.datasources.prometheus.conftest import PASSWORD

# The servers hold no samples of the fixed range of the suite: these series are made of time.
SERIES = (
    'label_replace(vector(time()), "n", "one", "", "")'
    ' or label_replace(vector(2), "n", "2", "", "")'
)


class _Conformance(DatasourceConformance):
    name = "prometheus"
    speaks_http = True
    queries = (
        {"expr": SERIES},
        {"expr": SERIES, "legend_format": "number {{n}}"},
        {"expr": SERIES, "type": "instant"},
        {"expr": SERIES, "format": "table"},
        {"expr": "1 / 0", "type": "instant"},
        {"expr": "up"},
    )
    long_query = {"expr": "vector(time())"}

    @pytest.fixture
    def http(self, client: SyncHttpClient) -> HttpClient:
        return client


@pytest.mark.services("prometheus")
class TestPrometheus(_Conformance):
    wrong_queries = (
        ({"expr": "sum("}, "parse error"),
        ({"expr": "no_such_function(1)"}, "no_such_function"),
        ({"expr": 'label_replace(vector(1), "0", "", "", "")'}, "invalid"),
    )

    @pytest.fixture
    def settings(self, prometheus_url: str) -> DatasourceSettings:
        return datasource_settings("prometheus", url=prometheus_url)


@pytest.mark.services("victoria-metrics")
class TestVictoriaMetrics(_Conformance):
    wrong_queries = (({"expr": "sum("}, "sum"), ({"expr": "no_such_function(1)"}, "no_such"))
    wrong_secrets = {"basic_auth_password": "not-the-password"}

    @pytest.fixture
    def settings(self, victoria_url: str) -> DatasourceSettings:
        return datasource_settings(
            "prometheus",
            url=victoria_url,
            json_data={"flavour": "victoriametrics", "http_method": "GET"},
            basic_auth_user="reader",
            secrets={"basic_auth_password": PASSWORD},
        )
