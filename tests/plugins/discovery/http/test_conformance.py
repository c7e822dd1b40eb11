from detectviz.testing.discovery import DiscoveryConformance


class TestConformance(DiscoveryConformance):
    name = "http"
    configs = (
        {"url": "http://127.0.0.1/targets"},
        {"url": "http://127.0.0.1/", "auth": "basic", "basic_auth": {"username": "me"}},
        {"url": "https://127.0.0.1/", "auth": "authorization", "refresh_interval": "5s"},
    )
