from detectviz.testing.discovery import DiscoveryConformance


class TestConformance(DiscoveryConformance):
    name = "dns"
    configs = (
        {"names": ["_metrics._tcp.example.org"], "servers": ["127.0.0.1"]},
        {"names": ["a.example.org", "b"], "type": "A", "port": 9100, "servers": ["[::1]:53"]},
    )
