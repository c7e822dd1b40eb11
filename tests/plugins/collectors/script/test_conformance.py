"""The script collector against the conformance suite of collectors."""

from detectviz.testing.collectors import CollectorConformance


class TestConformance(CollectorConformance):
    name = "script"
    configs = ({"script": "check_queue"}, {"script": "a/b", "format": "json", "arguments": ["x"]})
