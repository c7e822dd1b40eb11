from detectviz.contracts.discovery import Discovered, TargetGroup
from detectviz.testing.collectors import CollectorConformance


class Known:
    """A discoverer of one target."""

    async def discover(self) -> Discovered:
        group = TargetGroup(targets=({"__address__": "127.0.0.1:9"},))
        return Discovered(groups=(group,))


class TestConformance(CollectorConformance):
    name = "prometheus"
    configs = (
        {"static_sd": {"groups": [{"targets": ["127.0.0.1:9"]}]}},
        {
            "static_sd": {"groups": [{"targets": ["127.0.0.1:9"], "labels": {"env": "prod"}}]},
            "auth": "authorization",
            "fallback_scrape_protocol": "PrometheusText0.0.4",
            "params": {"module": "x"},
            "relabel_configs": [{"action": "labeldrop", "regex": "x"}],
        },
        {
            "discovery": "file",
            "file_sd": {"files": ["nodes.json"]},
            "auth": "oauth2",
            "oauth2": {"token_url": "http://127.0.0.1/token", "client_id": "me"},
        },
    )
    discoverer = Known()
