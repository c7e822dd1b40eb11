from detectviz.contracts.discovery import TargetGroup
from detectviz.contracts.types import JsonObject
from detectviz.testing.discovery import discovery_context
from detectviz.testing.networks import BadNetwork
from plugins.discovery.static.discovery import StaticDiscovery


async def test_targets_are_those_written_down_with_the_labels_of_their_group() -> None:
    config: JsonObject = {"groups": [{"targets": ["a:1", "b:2"], "labels": {"env": "prod"}}]}
    context = discovery_context("static", config, network=BadNetwork("hang"))
    assert await StaticDiscovery().discover(context) == (
        TargetGroup(
            targets=({"__address__": "a:1"}, {"__address__": "b:2"}),
            labels={"env": "prod"},
            source="0",
        ),
    )
