"""What a collector's configuration says about its discovery, taken apart for the host."""

from apps.monitors.services.network import discovery_choice
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.testing.plugins import built_in_plugins, checked_config


def test_the_chosen_discovery_gets_its_own_options_and_secrets_only() -> None:
    config: JsonObject = {
        "discovery": "http",
        "http_sd": {
            "url": "https://inventory.example.org/targets",
            "auth": "basic",
            "basic_auth": {"username": "me"},
        },
        "auth": "basic",
        "basic_auth": {"username": "scraper"},
    }
    checked = checked_config(
        PluginKind.COLLECTOR,
        "prometheus",
        config,
        {"http_sd/basic_auth/password": "one", "basic_auth/password": "two"},
    )
    schema = built_in_plugins().manifest(PluginKind.COLLECTOR, "prometheus").config_schema
    choice = discovery_choice(schema, checked.config, checked.secrets)
    assert choice is not None
    assert choice.name == "http"
    assert choice.config["url"] == "https://inventory.example.org/targets"
    assert choice.config["refresh_interval"] == "1m"
    assert choice.secrets == {"basic_auth/password": "one"}


def test_a_collector_without_the_choice_has_no_discovery() -> None:
    schema = built_in_plugins().manifest(PluginKind.COLLECTOR, "tcp").config_schema
    assert discovery_choice(schema, {"discovery": "http"}, {}) is None
