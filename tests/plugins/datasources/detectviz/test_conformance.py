import pytest

from detectviz.contracts.datasource import DatasourceSettings
from detectviz.contracts.series import SeriesQuerier
from detectviz.testing.datasource_fakes import FakeSeries, datasource_settings
from detectviz.testing.datasources import DatasourceConformance


class TestConformance(DatasourceConformance):
    name = "detectviz"
    has_network = False
    queries = (
        {"expr": "up"},
        {"expr": "up", "legend_format": "{{job}}"},
        {"expr": "up", "type": "instant"},
        {"expr": "up", "format": "table"},
    )
    wrong_queries = (({"expr": "sum("}, "parse error"),)

    @pytest.fixture
    def series(self) -> SeriesQuerier:
        return FakeSeries()

    @pytest.fixture
    def settings(self) -> DatasourceSettings:
        return datasource_settings("detectviz")
