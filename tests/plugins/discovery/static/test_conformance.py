from detectviz.testing.discovery import DiscoveryConformance


class TestConformance(DiscoveryConformance):
    name = "static"
    configs = ({"groups": [{"targets": ["127.0.0.1:1"], "labels": {"env": "prod"}}]},)
