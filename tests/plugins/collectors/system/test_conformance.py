from detectviz.testing.collectors import CollectorConformance


class TestConformance(CollectorConformance):
    name = "system"
    configs = (
        {},
        {"cpu_per_core": False, "collectors": ["cpu", "filesystem"], "disk_down_percent": 0},
    )
