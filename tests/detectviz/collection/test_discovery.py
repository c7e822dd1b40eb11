from collections.abc import Sequence
from pathlib import Path

import pytest

from detectviz.collection.discovery import DiscoveryChoice, DiscoveryHost, OrgFiles
from detectviz.contracts.discovery import DiscoveryContext, TargetGroup
from detectviz.contracts.errors import PluginError
from detectviz.testing.networks import BadNetwork


class Plugin:
    """A discovery that answers a new target every time, or fails."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_failing = False

    async def discover(self, context: DiscoveryContext) -> Sequence[TargetGroup]:
        self.asked += 1
        if self.is_failing:
            raise PluginError("no answer")
        return [TargetGroup(targets=({"__address__": f"host:{self.asked}"},))]


class Registry:
    def __init__(self, plugin: Plugin) -> None:
        self._plugin = plugin

    def get(self, name: str, org: str) -> Plugin:
        return self._plugin


class Setting:
    """One monitor that is checked again and again, and a clock."""

    def __init__(self, folder: Path, **config: str) -> None:
        self.plugin, self.moment = Plugin(), 0.0
        self._memory: dict[str, object] = {}
        self._choice = DiscoveryChoice(name="any", config=config)
        self._host = DiscoveryHost(
            registry=Registry(self.plugin), folder=folder, monotonic=lambda: self.moment
        )

    async def ask(self) -> tuple[str, str]:
        discoverer = self._host.discoverer(
            self._choice,
            org="acme",
            network=BadNetwork("hang"),
            timeout_s=1,
            memory=self._memory,
        )
        found = await discoverer.discover()
        return found.groups[0].targets[0]["__address__"], found.error


async def test_it_is_asked_again_when_the_refresh_interval_is_over(tmp_path: Path) -> None:
    setting = Setting(tmp_path, refresh_interval="1m")
    assert await setting.ask() == ("host:1", "")
    setting.moment = 59
    assert await setting.ask() == ("host:1", "")
    setting.moment = 60
    assert await setting.ask() == ("host:2", "")


async def test_the_last_good_targets_stay_while_asking_fails(tmp_path: Path) -> None:
    setting = Setting(tmp_path)
    await setting.ask()
    setting.plugin.is_failing = True
    assert await setting.ask() == ("host:1", "no answer")
    setting.plugin.is_failing = False
    assert await setting.ask() == ("host:3", "")


async def test_a_first_failure_is_told(tmp_path: Path) -> None:
    setting = Setting(tmp_path)
    setting.plugin.is_failing = True
    with pytest.raises(PluginError, match="no answer"):
        await setting.ask()


async def test_files_of_the_folder_are_read_by_pattern(tmp_path: Path) -> None:
    (tmp_path / "nodes").mkdir()
    for name in ("b.json", "a.json", "c.yml"):
        (tmp_path / "nodes" / name).write_text(name)
    found = await OrgFiles(tmp_path).read("nodes/*.json")
    assert [(each.name, each.content) for each in found] == [
        ("nodes/a.json", b"a.json"),
        ("nodes/b.json", b"b.json"),
    ]
    assert await OrgFiles(tmp_path).read("nothing/*.json") == ()


@pytest.mark.parametrize("pattern", ["../b.json", "/etc/passwd", "a/../../b.json", ""])
async def test_a_pattern_that_leads_out_is_refused(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(PluginError):
        await OrgFiles(tmp_path / "acme").read(pattern)


async def test_a_link_that_leads_out_is_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "acme"
    folder.mkdir()
    (tmp_path / "secret.json").write_text("secret")
    (folder / "link.json").symlink_to(tmp_path / "secret.json")
    (folder / "out").symlink_to(tmp_path)
    assert await OrgFiles(folder).read("*.json") == ()
    with pytest.raises(PluginError):
        await OrgFiles(folder).read("out/*.json")
