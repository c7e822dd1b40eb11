from detectviz.testing.discovery import DiscoveryConformance


class TestConformance(DiscoveryConformance):
    name = "kubernetes"
    configs = (
        {"api_server": "http://127.0.0.1:1", "role": "pod", "auth": "authorization"},
        {
            "api_server": "https://127.0.0.1:6443/clusters/a/",
            "role": "endpointslice",
            "namespaces": {"names": ["web", "db"]},
            "selectors": [{"role": "pod", "label": "app=shop"}],
            "attach_metadata": {"node": True},
        },
    )
