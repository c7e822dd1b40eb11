import pytest

from detectviz.contracts.datasource import DatasourceSettings
from detectviz.testing.datasource_fakes import datasource_settings
from detectviz.testing.datasources import DatasourceConformance


class TestConformance(DatasourceConformance):
    name = "testdata"
    has_network = False
    queries = (
        {"scenario": "random_walk", "series_count": 3, "labels": {"job": "node"}},
        {"scenario": "predictable_pulse"},
        {"scenario": "csv_metric_values", "values": "1, 2,null,4"},
        {"scenario": "csv_content", "content": "name,used,full\na,1,true\nb,2.5,false\n"},
        {"scenario": "random_walk_table"},
        {"scenario": "logs", "lines": 50},
        {"scenario": "no_data_points"},
    )
    wrong_queries = (
        ({"scenario": "csv_metric_values", "values": "1,many"}, "many"),
        ({"scenario": "csv_content", "content": ""}, "content is empty"),
        ({"scenario": "csv_content", "content": "a,b\n1\n"}, "line 2"),
        ({"scenario": "csv_content", "content": "a,a\n1,2\n"}, "one name"),
        ({"scenario": "predictable_pulse", "on": "0s", "off": "0s"}, "duration"),
        ({"scenario": "query_error", "message": "No such table."}, "no such table"),
    )
    slow_query = {"scenario": "slow_query", "delay": "1m"}

    @pytest.fixture
    def settings(self) -> DatasourceSettings:
        return datasource_settings("testdata")

    @pytest.fixture
    def other_settings(self) -> DatasourceSettings:
        return datasource_settings("testdata", json_data={"seed": 7}, uid="other")
