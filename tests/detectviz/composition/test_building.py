"""What a composition makes of settings, plugins and the graph of what runs."""

from pathlib import Path

import pytest
from django.db import connection
from pytest_django import Settings

from detectviz.clock import utc_now
from detectviz.composition.adjusting import plugin_adjusted
from detectviz.composition.building import Deployment, PluginsOff, deployment_of
from detectviz.composition.checking import composition_read
from detectviz.composition.current import composition_current, module_graph
from detectviz.composition.loading import composition_load, composition_names
from detectviz.composition.model import PluginUse
from detectviz.composition.problems import CompositionError
from detectviz.composition.resolving import plugin_order
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.configuration import validate
from detectviz.pluginhost.pipeline import scan
from detectviz.runtime import processes
from detectviz.runtime.models import ProcessHeartbeat
from detectviz.runtime.modules import Runner
from tests.architecture.sources import ROOT
from tests.detectviz.composition.test_broken import CHOOSING, GOOD


def nothing_set(_: str) -> str | None:
    return None


def test_the_default_asks_nothing_of_the_settings() -> None:
    deployment = deployment_of(*composition_load("dev-platform"), nothing_set)
    assert deployment == Deployment(plugins_on=("*",))


def test_a_composition_stands_in_for_variables_and_names_its_pool(tmp_path: Path) -> None:
    (tmp_path / "db").write_text("postgresql://u:hush@h/d\n", encoding="ascii")
    text = GOOD.replace("{env: DB}", f"{{file: {tmp_path / 'db'}}}")
    deployment = deployment_of(*composition_read(text, "acme.yaml"), nothing_set, pool="checks")

    assert deployment.variables == {
        "DETECTVIZ_DATABASE_URL": "postgresql://u:hush@h/d",
        "DETECTVIZ_REDIS_URL": "redis://127.0.0.1:6379/0",
        "DETECTVIZ_TSDB_URL": "victoriametrics+http://127.0.0.1:8428",
    }
    assert (deployment.pool.queues, deployment.pool.shards) == (("collect",), 8)
    assert (deployment.health.interval_s, deployment.health.timeout_s) == (5.0, 2.0)
    assert deployment.health.include == ("database",)


def test_sign_in_middlewares_cache_and_mail_are_what_the_composition_says() -> None:
    given = {"DB": "postgresql://u@h/d", "KEY": "k" * 32}
    deployment = deployment_of(*composition_read(CHOOSING, "acme.yaml"), given.get)

    told = deployment.variables
    assert (told["DETECTVIZ_AUTH"], told["DETECTVIZ_MIDDLEWARE"]) == (
        "jwt,proxy-header",
        "cors,request-log",
    )
    assert (told["DETECTVIZ_CACHE_URL"], told["DETECTVIZ_CACHE_CONFIG"]) == (
        "postgresql://u@h/d",
        '{"table":"shelf"}',
    )
    assert deployment.cache_plugin == "database"
    assert (told["DETECTVIZ_SMTP_HOST"], told["DETECTVIZ_SMTP_PORT"]) == ("mail.example", "4650")
    assert (told["DETECTVIZ_SMTP_TLS"], told["DETECTVIZ_SMTP_STARTTLS"]) == ("true", "false")
    assert deployment.plugin_configs["auth/jwt"]["key"] == "k" * 32
    assert deployment.plugin_configs["middleware/cors"] == {"origins": ["https://a.example"]}
    off = PluginsOff((), deployment)
    chosen = ("auth/jwt", "middleware/cors", "cache/database", "drivers/smtp", "drivers/redis")
    assert not [name for name in chosen if name in off]
    assert "cache/redis" in off
    assert "hush" not in repr(deployment)


def test_drivers_of_plugins_know_who_wants_them() -> None:
    given = {"DB": "postgresql://u@h/d", "KEY": "k" * 32}
    deployment = deployment_of(*composition_read(CHOOSING, "acme.yaml"), given.get)

    uses = {
        use.name: (use.type, use.config, sorted(use.applications)) for use in deployment.drivers
    }
    assert uses == {
        "database": (
            "postgresql",
            {"url": "postgresql://u@h/d"},
            ["beat", "web", "worker"],
        ),
        "redis": ("redis", {"url": "redis://127.0.0.1:6379/0"}, ["beat", "web", "worker"]),
        "mail": ("smtp", {"url": "smtps://mail.example:4650"}, ["beat"]),
    }


def test_a_worker_of_no_pool_takes_everything_by_the_same_shards() -> None:
    variables = {"DB": "postgresql://x/y"}
    deployment = deployment_of(*composition_read(GOOD, "acme.yaml"), variables.get)
    assert (deployment.pool.queues, deployment.pool.shards) == ((), 8)


@pytest.mark.parametrize("name", composition_names())
def test_every_built_in_has_its_papers_and_its_folders_name(name: str) -> None:
    composition, _ = composition_load(name)
    folder = ROOT / "compositions" / name
    assert composition.name == name
    assert (folder / "meta.yaml").is_file()
    assert len((folder / "README.md").read_text(encoding="utf-8").splitlines()) <= 15


def test_plugins_that_are_not_declared_are_off() -> None:
    off = PluginsOff(
        ("collectors/dns",),
        Deployment(plugins_on=("collectors/*",), plugins_off=("collectors/tcp",)),
    )
    assert "collectors/http" not in off
    assert {
        name for name in ("collectors/dns", "collectors/tcp", "notifiers/email") if name in off
    } == {
        "collectors/dns",
        "collectors/tcp",
        "notifiers/email",
    }


def test_a_config_becomes_the_defaults_and_depends_on_an_order() -> None:
    deployment = Deployment(
        plugin_configs={"collectors/http": {"url": "https://example.org/"}},
        plugin_needs={"collectors/http": ("collectors/dns",)},
    )
    store = scan([ROOT / "plugins"], adjust=lambda plugin: plugin_adjusted(plugin, deployment))
    manifest = store.describe(PluginKind.COLLECTOR, "http").manifest
    assert manifest is not None
    checked = validate(manifest.config_schema, {}, {})
    assert (checked.problems, checked.config["url"]) == ((), "https://example.org/")
    assert "collectors/dns" in manifest.dependencies


def test_plugins_come_after_those_they_depend_on() -> None:
    a, b, c = (
        PluginUse(name="a", depends_on=("b",)),
        PluginUse(name="b", depends_on=("c", "database")),
        PluginUse(name="c"),
    )
    assert plugin_order([a, b, c]) == (c, b, a)


def test_without_a_choice_the_built_in_one_tells_what_is_in_use(settings: Settings) -> None:
    composition_current.cache_clear()
    settings.TSDB_URL = "prometheus+http://127.0.0.1:9090"
    try:
        current = composition_current()
    finally:
        composition_current.cache_clear()
    assert (current.composition.name, current.is_chosen) == ("dev-platform", False)
    assert current.composition.drivers["series"].type == "prometheus"
    assert current.composition.drivers["database"].type == connection.vendor


@pytest.mark.django_db
def test_the_graph_has_the_modules_of_every_living_process(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain:
        def __init__(self, name: str, depends_on: tuple[str, ...] = ()) -> None:
            self.name, self.depends_on = name, depends_on

        def start(self) -> None:
            """Nothing."""

        def stop(self, deadline_s: float) -> None:
            """Nothing."""

    runner = Runner([Plain("database"), Plain("web", ("database",))])
    runner.start()
    monkeypatch.setattr(processes, "_runners", [runner])
    processes.heartbeat_record(role="web", started_at=utc_now(), now=utc_now())
    ProcessHeartbeat.objects.create(
        owner="older", role="beat", started_at=utc_now(), seen_at=utc_now(), modules=None
    )

    graph = module_graph()
    assert [(node.role, node.name, node.state.value) for node in graph.nodes] == [
        ("web", "database", "running"),
        ("web", "web", "running"),
    ]
    assert graph.edges == ((graph.nodes[1].key, graph.nodes[0].key),)
    assert (utc_now() - graph.nodes[0].since).total_seconds() < 60


def with_bus(bus: str, plugin: str) -> str:
    text = GOOD.replace("eventbus: {type: in-process}", f"eventbus: {bus}")
    assert text != GOOD
    if plugin:
        text = text.replace("  plugins:\n", f"  plugins:\n    - name: {plugin}\n", 1)
    return text


def test_an_event_bus_between_processes_stands_in_for_its_variables() -> None:
    variables = {"DB": "postgresql://x/y", "PASS": "hush"}
    bus = "{type: nats, config: {url: 'nats://bus:4222', password: {env: PASS}}}"
    text = with_bus(bus, "eventbus/nats")
    deployment = deployment_of(*composition_read(text, "acme.yaml"), variables.get)
    assert deployment.variables["DETECTVIZ_EVENTBUS_URL"] == "nats://bus:4222"
    assert deployment.variables["DETECTVIZ_EVENTBUS_CONFIG"] == '{"password":"hush"}'


def test_an_event_bus_may_go_through_a_driver() -> None:
    text = with_bus("{type: redis, driver: redis}", "eventbus/redis")
    deployment = deployment_of(*composition_read(text, "acme.yaml"), {"DB": "postgresql://x/y"}.get)
    assert deployment.variables["DETECTVIZ_EVENTBUS_URL"] == "redis://127.0.0.1:6379/0"


def test_a_variable_that_names_another_bus_stops_the_start() -> None:
    text = with_bus("{type: redis, driver: redis}", "eventbus/redis")
    variables = {"DB": "postgresql://x/y", "DETECTVIZ_EVENTBUS_URL": "memory://"}
    with pytest.raises(CompositionError, match="DETECTVIZ_EVENTBUS_URL is set"):
        deployment_of(*composition_read(text, "acme.yaml"), variables.get)


def test_an_event_bus_without_an_address_is_refused() -> None:
    with pytest.raises(CompositionError, match="needs one address"):
        composition_read(with_bus("{type: nats}", "eventbus/nats"), "acme.yaml")


def test_the_cache_a_composition_chooses_can_be_used_without_naming_its_plugin() -> None:
    variables = {"DB": "postgresql://x/y"}
    deployment = deployment_of(*composition_read(GOOD, "acme.yaml"), variables.get)
    assert "cache/redis" not in PluginsOff((), deployment)
    assert "cache/memory" in PluginsOff((), deployment)
