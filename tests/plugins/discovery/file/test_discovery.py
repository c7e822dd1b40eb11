import pytest

from detectviz.contracts.discovery import TargetGroup
from detectviz.contracts.errors import PluginError
from detectviz.testing.discovery import discovery_context
from detectviz.testing.networks import BadNetwork
from plugins.discovery.file.discovery import FileDiscovery


async def discover(files: dict[str, bytes]) -> list[TargetGroup]:
    config = {"files": ["*"]}
    context = discovery_context("file", config, network=BadNetwork("hang"), files=files)
    return list(await FileDiscovery().discover(context))


async def test_json_and_yaml_give_the_same_groups() -> None:
    (one,) = await discover({"a.json": b'[{"targets": ["a:1"], "labels": {"env": "x"}}]'})
    (two,) = await discover({"a.yml": b"- targets: ['a:1']\n  labels: {env: x}\n"})
    assert one.targets == two.targets == ({"__address__": "a:1"},)
    assert one.labels == {"env": "x", "__meta_filepath": "a.json"}


@pytest.mark.parametrize(
    "content",
    [b"[1]", b"{}", b'[{"targets": 1}]', b'[{"target": []}]', b'[{"labels": {"a": 1}}]', b"\xff"],
)
async def test_a_wrong_file_is_named(content: bytes) -> None:
    with pytest.raises(PluginError, match=r"bad\.json"):
        await discover({"bad.json": content})
