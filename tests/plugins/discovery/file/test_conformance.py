from detectviz.testing.discovery import DiscoveryConformance


class TestConformance(DiscoveryConformance):
    name = "file"
    configs = ({"files": ["nodes/*.json"]}, {"files": ["a.yml"], "refresh_interval": "5s"})
