"""A plugin's life as an administrator sees it: found, approved, installed, updated, removed."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from django.core.management import CommandError, call_command

from apps.audit.models import AuditEvent
from apps.extensions.models import PluginApproval, PluginStamp
from apps.extensions.selectors import plugin_host, plugin_host_use
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.errors import BrokenPluginError

pytestmark = pytest.mark.django_db

NAME = "collectors/weather"
CODE = """
class Weather:
    version = "VERSION"

    async def check(self, context): ...
"""


@pytest.fixture(autouse=True)
def places(settings: object, tmp_path: Path) -> Iterator[None]:
    settings.DATA_DIR = tmp_path / "data"  # type: ignore[attr-defined]  # Django's fixture
    settings.PLUGIN_TRUST_DIR = tmp_path / "trust"  # type: ignore[attr-defined]  # Django's fixture
    settings.PLUGIN_REGISTRIES = (f"acme=file://{tmp_path / 'registry'}",)  # type: ignore[attr-defined]  # Django's fixture
    (tmp_path / "registry").mkdir()
    plugin_host_use(None)
    yield
    plugin_host_use(None)


def _run(*arguments: object) -> str:
    said = io.StringIO()
    call_command("plugins", *map(str, arguments), stdout=said)
    plugin_host_use(None)
    return said.getvalue()


def _refused(*arguments: object) -> str:
    with pytest.raises(CommandError) as refused:
        _run(*arguments)
    return str(refused.value)


def _actions() -> list[str]:
    return list(AuditEvent.objects.order_by("seq").values_list("action", flat=True))


@pytest.fixture
def author(tmp_path: Path) -> "Author":
    made = Author(tmp_path)
    _run("keygen", tmp_path / "acme")
    _run(
        "trust", tmp_path / "acme.pub", "--store", "partners", "--level", "verified",
        "--registries", "acme",
    )  # fmt: skip
    return made


class Author:
    """Writes versions of a plugin, and publishes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = folder / "acme.key"
        self.registry = folder / "registry"

    def write(self, version: str, **changes: object) -> Path:
        place = self.folder / f"v{version}" / "collectors" / "weather"
        place.mkdir(parents=True)
        manifest = {
            "api_version": "detectviz/v1", "name": "weather", "kind": "collectors",
            "version": version, "title": "Weather", "description": "Asks for the weather.",
            "category": "community", "engine_version": ">=0.1,<1",
            "capability": "weather:Weather", "permissions": {"network": ["http"]}, **changes,
        }  # fmt: skip
        (place / "plugin.yaml").write_text(yaml.safe_dump(manifest))
        schema = {"type": "object", "additionalProperties": False, "properties": {}}
        (place / "config.schema.json").write_text(json.dumps(schema))
        (place / "weather.py").write_text(CODE.replace("VERSION", version))
        return place

    def bundle(self, version: str, **changes: object) -> Path:
        place = self.write(version, **changes)
        _run("sign", place, "--key", self.key)
        return Path(_run("bundle", place, "--out", self.registry).strip())

    def publish(self, version: str, **changes: object) -> None:
        self.bundle(version, **changes)
        self.index()

    def index(self) -> str:
        return _run("index", self.registry, "--registry", "acme", "--key", self.key)


def _loaded() -> str:
    return str(plugin_host().load(PluginKind.COLLECTOR, "weather").version)  # type: ignore[attr-defined]  # set by the plugin


def test_a_plugin_is_found_approved_installed_updated_rolled_back_and_removed(
    author: Author,
) -> None:
    author.publish("1.0.0")
    assert "network:http" in _refused("install", NAME)
    assert "1.0.0 is installed (verified)" in _run("install", NAME, "--approve")
    assert _loaded() == "1.0.0"
    author.publish("1.1.0")
    assert "1.1.0 is installed in place of 1.0.0" in _run("update")
    assert _loaded() == "1.1.0"
    assert "as new as" in _run("update")
    assert "1.1.0 of collectors/weather was here before" in _refused("install", f"{NAME}@1.0.0")
    assert _loaded() == "1.1.0"
    _run("install", f"{NAME}@1.0.0", "--allow-downgrade")
    assert _loaded() == "1.0.0"
    _run("remove", NAME)
    with pytest.raises(Exception, match="There is no plugin 'weather'"):
        _loaded()
    assert _actions() == [
        "plugin.install",  # refused: nobody had approved what it asks for
        "plugin.approve", "plugin.install", "plugin.update",
        "plugin.install",  # refused: older
        "plugin.downgrade", "plugin.withdraw", "plugin.remove",
    ]  # fmt: skip
    refused = AuditEvent.objects.filter(is_success=False).values_list("action", flat=True)
    assert list(refused) == ["plugin.install", "plugin.install"]
    assert PluginStamp.objects.get().folders >= 4


def test_an_update_that_asks_for_more_needs_a_new_approval(author: Author) -> None:
    author.publish("1.0.0")
    _run("install", NAME, "--approve")
    author.publish("1.1.0", permissions={"network": ["http", "tcp"]})
    assert "asks for network:tcp;" in _refused("update")
    assert _loaded() == "1.0.0"
    _run("update", "--approve")
    assert _loaded() == "1.1.0"
    assert PluginApproval.objects.get().permissions == ["network:http", "network:tcp"]


def test_what_is_withdrawn_stops_the_plugin(author: Author) -> None:
    author.publish("1.0.0")
    _run("install", NAME, "--approve")
    _run("withdraw", NAME)
    with pytest.raises(BrokenPluginError, match="no administrator has approved"):
        _loaded()
    _run("approve", NAME)
    assert _loaded() == "1.0.0"


def test_a_bundle_in_a_file_is_installed_with_the_checksum_it_should_have(author: Author) -> None:
    bundle = author.bundle("1.0.0")
    wrong = _refused("install", bundle, "--approve", "--sha256", "0" * 64)
    assert "does not have the checksum" in wrong
    _run("install", bundle, "--approve")
    assert _loaded() == "1.0.0"
    assert "verified" in _run("verify", bundle)


def test_a_dependency_is_asked_for_before_anything_is_installed(author: Author) -> None:
    author.publish("1.0.0", dependencies=["collectors/clouds"])
    assert "detectviz plugins install collectors/clouds" in _refused("install", NAME, "--approve")
    with pytest.raises(Exception, match="There is no plugin"):
        _loaded()
    assert not PluginApproval.objects.exists()


def test_a_built_in_plugin_cannot_be_replaced(author: Author) -> None:
    place = author.write("9.0.0", name="http", capability="weather:Weather")
    http = place.with_name("http")
    place.rename(http)
    _run("sign", http, "--key", author.key)
    bundle = _run("bundle", http, "--out", author.folder).strip()
    assert "built-in" in _refused("install", bundle, "--approve")
    assert "is not installed" in _refused("remove", "collectors/http")


def test_a_plugin_another_needs_stays(author: Author) -> None:
    author.publish("1.0.0")
    _run("install", NAME, "--approve")
    place = author.write("1.0.1", name="clouds", dependencies=[NAME], permissions={})
    clouds = place.with_name("clouds")
    place.rename(clouds)
    _run("sign", clouds, "--key", author.key)
    _run("install", _run("bundle", clouds, "--out", author.folder).strip())
    assert "collectors/clouds need collectors/weather" in _refused("remove", NAME)
    _run("remove", NAME, "--force")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: path.write_bytes(path.read_bytes().replace(b"1.0.0", b"9.0.0")), "signed"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "cannot be understood"),
        (lambda path: path.unlink(), "cannot be read"),
    ],
)
def test_a_spoilt_index_is_refused(author: Author, spoil: object, reason: str) -> None:
    author.publish("1.0.0")
    spoil(author.registry / "index.json")  # type: ignore[operator]  # one of the functions above
    assert reason in _refused("search")


def test_an_old_index_is_refused(author: Author) -> None:
    author.publish("1.0.0")
    old = (author.registry / "index.json").read_bytes()
    author.index()
    _run("search")
    (author.registry / "index.json").write_bytes(old)
    assert "somebody may be replaying an old one" in _refused("search")


def test_a_bundle_that_is_not_the_one_of_the_index_is_refused(author: Author) -> None:
    author.publish("1.0.0")
    (path,) = author.registry.glob("*.dvplugin")
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    assert "is not what its index says" in _refused("install", NAME, "--approve")


def test_a_registry_whose_key_is_not_known_for_it_is_refused(
    author: Author, settings: object
) -> None:
    author.publish("1.0.0")
    settings.PLUGIN_REGISTRIES = (f"other=file://{author.registry}",)  # type: ignore[attr-defined]  # Django's fixture
    assert "No trust store vouches" in _refused("search")


def test_a_revoked_key_stops_what_it_signed(author: Author) -> None:
    author.publish("1.0.0")
    said = _run("verify", author.folder / "v1.0.0" / "collectors" / "weather")
    assert "signed by" in said
    _run("install", NAME, "--approve")
    assert _loaded() == "1.0.0"
    key_id = said.split("signed by ")[1].split()[0]
    _run("revoke", key_id, "--reason", "laptop stolen")
    with pytest.raises(BrokenPluginError, match="laptop stolen"):
        _loaded()


def test_an_unsigned_plugin_of_a_named_directory_waits_for_its_name(
    author: Author, settings: object
) -> None:
    place = author.write("1.0.0", permissions={})
    settings.PLUGIN_DIRS = (place.parent.parent,)  # type: ignore[attr-defined]  # Django's fixture
    with pytest.raises(BrokenPluginError, match="DETECTVIZ_PLUGINS_UNSIGNED=collectors/weather"):
        _loaded()
    plugin_host_use(None)
    settings.PLUGINS_UNSIGNED = ("directories",)  # type: ignore[attr-defined]  # Django's fixture
    described = plugin_host().describe(PluginKind.COLLECTOR, "weather")
    assert (described.status, described.trust, described.is_isolated) == (
        "available", "custom", True,
    )  # fmt: skip
    settings.IS_EMBEDDED = False  # type: ignore[attr-defined]  # Django's fixture
    plugin_host_use(None)
    assert plugin_host().describe(PluginKind.COLLECTOR, "weather").status == "broken"


def test_a_store_says_its_level_once(author: Author) -> None:
    public = author.folder / "acme.pub"
    assert "use another store" in _refused(
        "trust", public, "--store", "partners", "--level", "core"
    )
    assert "say its --level" in _refused("trust", public, "--store", "fresh")
    assert "no name of a store" in _refused("trust", public, "--store", "../x", "--level", "core")
    assert "no id of a key" in _refused("revoke", "xyz")
    assert (author.folder / "trust" / "partners.yaml").exists()
