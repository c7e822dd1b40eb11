"""A plugin of each kind by a stranger: written, checked, tested, signed, installed, removed."""

import io
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client

from apps.extensions.selectors import plugin_host, plugin_host_use
from apps.series.selectors import series_store_use
from detectviz.clock import to_ms, utc_now
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.kinds import KINDS
from detectviz.pluginhost.manifest import MANIFEST_FILE
from detectviz.pluginhost.scaffold import plugin_write
from detectviz.promql.memory_store import MemoryStore
from detectviz.testing.stranger import Stranger
from detectviz.tsdb.interface import Sample
from tests.factories.accounts import make_full_org
from tests.factories.monitors import make_monitor
from tests.factories.pages import make_browser

NAME = "acme-thing"
MONITOR = "/o/acme/monitors/m/shop"


@pytest.mark.timeout(240)
def test_a_plugin_of_every_kind_passes_its_tests_outside_of_the_project(tmp_path: Path) -> None:
    stranger = Stranger(tmp_path)
    for kind in PluginKind:
        plugin_write(kind=kind, name=NAME, folder=tmp_path)
    said = stranger.run("pytest", "-q", "-rA", "--no-header")
    for kind in PluginKind:
        assert f"PASSED {kind.value}/acme_thing/tests/test_" in said
    # Nothing was left behind that could not be signed.
    folders = {path.name for path in tmp_path.iterdir() if path.name != ".installed"}
    assert folders == {"pytest.ini", *PluginKind}


@pytest.fixture
def scratch(settings: object, tmp_path: Path) -> Iterator[Path]:
    settings.DATA_DIR = tmp_path / "data"  # type: ignore[attr-defined]  # Django's fixture
    settings.PLUGIN_TRUST_DIR = tmp_path / "trust"  # type: ignore[attr-defined]  # Django's fixture
    plugin_host_use(None)
    yield tmp_path
    plugin_host_use(None)


def run(*arguments: object) -> str:
    said = io.StringIO()
    call_command("plugins", *map(str, arguments), stdout=said)
    plugin_host_use(None)
    return said.getvalue().strip()


def bundle(place: Path, version: str) -> Path:
    scratch = place.parents[1]
    manifest = place / MANIFEST_FILE
    lines = manifest.read_text().splitlines()
    lines = [f"version: {version}" if each.startswith("version:") else each for each in lines]
    manifest.write_text("\n".join(lines))
    run("check", place)
    run("sign", place, "--key", scratch / "acme.key")
    return Path(run("bundle", place, "--out", scratch))


def theme_works(browser: Client) -> None:
    assert browser.post("/o/acme/appearance", {"theme": NAME}).status_code == 302
    assert f"/plugins/themes/{NAME}/" in browser.get("/o/acme/monitors").content.decode()


def visualizer_works(browser: Client) -> None:
    page = browser.get("/o/acme/explore", {"q": "vector(7)", "view": f"visualizers/{NAME}"})
    assert '<span class="num">7</span>' in page.content.decode()


def tool_works(browser: Client) -> None:
    answer = browser.post(
        f"/apis/plugins/v1/orgs/acme/tools/{NAME}/run",
        {"spec": {"config": {"url": "http://127.0.0.1:1/"}}},
        content_type="application/json",
    )
    assert answer.status_code == 200
    assert "127.0.0.1" in answer.json()["status"]["summary"]  # it was let out, and found nobody


def pages_work(browser: Client) -> None:
    home = f"/o/acme/x/{NAME}/"
    page = browser.get(home).content.decode()
    assert f'href="{home}monitors/shop"' in page
    assert f'src="/plugins/assets/pages/{NAME}/' in page
    assert f"{home}_widgets/uptime?subject=shop" in browser.get(MONITOR).content.decode()
    widget = browser.get(f"{home}_widgets/uptime", {"subject": "shop"}).content.decode()
    assert "up 75 % of the last day" in widget


WORKS: dict[PluginKind, Callable[[Client], None]] = {
    PluginKind.THEME: theme_works,
    PluginKind.VISUALIZER: visualizer_works,
    PluginKind.TOOL: tool_works,
    PluginKind.PAGES: pages_work,
}


@pytest.fixture
def browser() -> Iterator[Client]:
    """Return that of an operator whose org has a monitor: up three times of four."""
    store = MemoryStore()
    series_store_use(store)
    cache.clear()
    org = make_full_org("acme")
    make_monitor(org, name="shop")
    labels = {"__name__": "probe_success", "monitor": "shop"}
    for minutes, value in enumerate((1.0, 1.0, 0.0, 1.0), start=1):
        at_ms = to_ms(utc_now() - timedelta(minutes=5 - minutes))
        store.append(org.uid, [Sample(labels, at_ms, value)])
    yield make_browser(org, username="ada")
    series_store_use(None)


def works(kind: PluginKind, browser: Client) -> None:
    """Load it, and look at what people see of it."""
    assert callable(getattr(plugin_host().load(kind, NAME), KINDS[kind].verb))
    if kind in WORKS:
        WORKS[kind](browser)


@pytest.mark.django_db
@pytest.mark.parametrize("kind", PluginKind)
def test_it_is_installed_works_is_updated_not_rolled_back_and_removed(
    kind: PluginKind, scratch: Path, browser: Client
) -> None:
    run("init", "--kind", kind, "--name", NAME, "--folder", scratch)
    place = scratch / kind.value / "acme_thing"
    run("keygen", scratch / "acme")
    run("trust", scratch / "acme.pub", "--store", "partners", "--level", "verified")
    first = bundle(place, "1.0.0")

    assert "1.0.0 is installed (verified)" in run("install", first, "--approve")
    works(kind, browser)
    assert "1.1.0 is installed in place of 1.0.0" in run("install", bundle(place, "1.1.0"))
    assert plugin_host().manifest(kind, NAME).version == "1.1.0"
    with pytest.raises(CommandError, match="was here before"):
        run("install", first, "--approve")
    assert plugin_host().manifest(kind, NAME).version == "1.1.0"
    works(kind, browser)
    run("remove", f"{kind.value}/{NAME}")
    with pytest.raises(Exception, match=f"no plugin '{NAME}'"):
        plugin_host().load(kind, NAME)
    if kind in WORKS:
        with pytest.raises(AssertionError):
            WORKS[kind](browser)
