"""Plugins are switched in SQL, and every process follows."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from apps.audit.models import AuditEvent
from apps.extensions.models import OrgPlugin, PluginUse
from apps.extensions.selectors import (
    plugin_choices,
    plugin_client,
    plugin_settings,
    plugin_use,
    policy_holder,
)
from apps.extensions.services import manifest_require
from apps.extensions.services.following import KEPT_DAYS, plugin_use_write, plugins_refresh
from apps.extensions.services.switches import plugin_configure, plugin_switch, plugins_changed
from detectviz.clock import utc_now
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.errors import NotRegisteredError, UnavailableError
from detectviz.pluginhost.host import PluginHost
from detectviz.resources.errors import ConflictError, InvalidFieldsError
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db
COLLECTOR = PluginKind.COLLECTOR
PROBE = (COLLECTOR, "probe")
PluginWriter = Callable[..., Path]


def _switch(host: PluginHost, *, is_enabled: bool, org: Any = None) -> None:
    plugin_switch(plugin=host.describe(*PROBE), is_enabled=is_enabled, org=org)


def _version() -> str:
    return str(plugin_client().instance(COLLECTOR, "probe").version)


def test_a_plugin_switched_off_for_an_org_is_off_for_it_alone(host: PluginHost) -> None:
    here, there = make_org("here"), make_org("there")
    _switch(host, is_enabled=False, org=here)
    plugins_refresh()
    with pytest.raises(UnavailableError, match="organisation here"):
        plugin_client().instance(COLLECTOR, "probe", org="here")
    assert plugin_client().instance(COLLECTOR, "probe", org="there")
    assert plugin_choices(COLLECTOR, here) == ()
    assert [each.name for each in plugin_choices(COLLECTOR, there)] == ["probe"]
    _switch(host, is_enabled=True, org=here)
    plugins_refresh()
    assert plugin_client().instance(COLLECTOR, "probe", org="here")


def test_a_plugin_that_is_off_is_not_newly_chosen_and_may_be_kept(host: PluginHost) -> None:
    org = make_org()
    _switch(host, is_enabled=False, org=org)
    plugins_refresh()
    assert manifest_require(kind=COLLECTOR, name="probe", path="spec.type").name == "probe"
    with pytest.raises(InvalidFieldsError, match="switched off"):
        manifest_require(kind=COLLECTOR, name="probe", path="spec.type", org=org)


def test_a_plugin_switched_off_for_the_deployment_is_taken_out_of_service(
    host: PluginHost,
) -> None:
    assert _version() == "1.0.0"
    _switch(host, is_enabled=False)
    assert plugins_refresh()
    assert host.registry.find(PROBE) is None
    with pytest.raises(UnavailableError, match="on this deployment"):
        plugin_client().instance(COLLECTOR, "probe", org="anybody")
    assert not plugins_refresh()


def test_children_follow_their_parent(
    host: PluginHost, write_plugin: PluginWriter, tmp_path: Path
) -> None:
    parent = write_plugin("mother", children=["collectors/probe-child"])
    child = write_plugin("probe_child")
    place = parent / "children" / "collectors"
    place.mkdir(parents=True)
    child.rename(place / "probe_child")
    manifest = place / "probe_child" / "plugin.yaml"
    manifest.write_text(manifest.read_text().replace("probe_child", "probe-child"))
    plugins_changed()
    plugins_refresh()
    assert plugin_client().instance(COLLECTOR, "probe-child")
    plugin_switch(plugin=host.describe(COLLECTOR, "mother"), is_enabled=False)
    plugins_refresh()
    with pytest.raises(UnavailableError):
        plugin_client().instance(COLLECTOR, "probe-child")


def test_a_new_version_is_loaded_without_a_restart(
    host: PluginHost, write_plugin: PluginWriter
) -> None:
    assert _version() == "1.0.0"
    write_plugin(version="2.0.0")
    assert _version() == "1.0.0"
    plugins_changed()
    plugins_refresh()
    assert _version() == "2.0.0"


def test_what_was_removed_is_gone_and_what_was_added_is_there(
    host: PluginHost, write_plugin: PluginWriter
) -> None:
    folder = write_plugin()
    assert _version() == "1.0.0"
    folder.rename(folder.with_name("other"))
    text = (folder.with_name("other") / "plugin.yaml").read_text()
    (folder.with_name("other") / "plugin.yaml").write_text(text.replace("probe\n", "other\n", 1))
    plugins_changed()
    plugins_refresh()
    with pytest.raises(NotRegisteredError, match="use one of: other"):
        plugin_client().instance(COLLECTOR, "probe")


def test_an_update_that_breaks_the_plugin_is_shown_and_put_right_by_the_next(
    host: PluginHost, write_plugin: PluginWriter
) -> None:
    assert _version() == "1.0.0"
    folder = write_plugin(version="2.0.0")
    (folder / "probe.py").write_text("def broken(:")
    plugins_changed()
    plugins_refresh()
    assert host.describe(*PROBE).status == "broken"
    write_plugin(version="2.0.1")
    plugins_changed()
    plugins_refresh()
    assert _version() == "2.0.1"


def test_the_policy_is_read_when_first_needed(host: PluginHost) -> None:
    _switch(host, is_enabled=False)
    policy_holder().forget()
    with pytest.raises(UnavailableError):
        plugin_client().instance(COLLECTOR, "probe")


def test_switching_is_audited_for_the_org_and_for_the_platform(host: PluginHost) -> None:
    org = make_org()
    _switch(host, is_enabled=False, org=org)
    _switch(host, is_enabled=False)
    _switch(host, is_enabled=False)
    found = AuditEvent.objects.filter(action="plugin.disable")
    assert sorted(found.values_list("org_id", flat=True), key=str) == [org.pk, None]


def test_settings_of_an_org_are_checked_kept_secret_and_its_own(host: PluginHost) -> None:
    org, other = make_org("acme"), make_org("other")
    plugin = host.describe(*PROBE)
    row = plugin_configure(
        plugin=plugin, org=org, config={"region": "eu"}, secrets={"token": "s3cret"}
    )
    assert plugin_settings(org, *PROBE).secrets == {"token": "s3cret"}
    assert plugin_settings(other, *PROBE).config == {}
    assert "s3cret" not in str(OrgPlugin.all_orgs.values("secrets", "config"))
    with pytest.raises(InvalidFieldsError, match=r"spec\.config\.regoin"):
        plugin_configure(plugin=plugin, org=org, config={"regoin": "eu"}, secrets={})
    with pytest.raises(ConflictError):
        plugin_configure(
            plugin=plugin, org=org, config={}, secrets={}, resource_version=row.resource_version - 1
        )


def test_calls_are_summed_by_day_over_processes(host: PluginHost) -> None:
    now = utc_now()
    client = plugin_client()
    client.count(COLLECTOR, "probe", "ok", took_s=1.0, executions=3)
    assert plugin_use_write(now=now) >= 3
    client.count(COLLECTOR, "probe", "failed", took_s=0.5, executions=2)
    plugin_use_write(now=now)
    use = plugin_use(now.date())[PROBE]
    assert (use["executions"], use["failed"], use["seconds"]) == (5, 2, 1.5)
    assert PluginUse.objects.filter(name="probe").count() == 1
    client.count(COLLECTOR, "probe", "ok", took_s=1.0, executions=1)
    plugin_use_write(now=now + timedelta(days=KEPT_DAYS + 1))
    assert PluginUse.objects.filter(day=now.date()).count() == 0


def test_the_command_line_switches(host: PluginHost, capsys: pytest.CaptureFixture[str]) -> None:
    make_org("acme")
    call_command("plugins", "disable", "collectors/probe", "--org", "acme")
    assert "is off for acme" in capsys.readouterr().out
    plugins_refresh()
    with pytest.raises(UnavailableError):
        plugin_client().instance(COLLECTOR, "probe", org="acme")
    call_command("plugins", "disable", "collectors/probe")
    call_command("plugins", "enable", "collectors/probe")
    assert "is on on this deployment" in capsys.readouterr().out
    with pytest.raises(CommandError, match="no plugin 'collectors/none'"):
        call_command("plugins", "enable", "collectors/none")
    with pytest.raises(CommandError, match="no org 'nobody'"):
        call_command("plugins", "enable", "collectors/probe", "--org", "nobody")
