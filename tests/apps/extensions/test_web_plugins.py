"""The pages of plugins, on a host whose plugins the test wrote."""

import logging

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from apps.extensions.models import OrgPlugin, PluginApproval, PluginSwitch
from apps.extensions.services.following import plugins_refresh
from apps.extensions.services.switches import stamp_raise
from apps.orgs.models import Org
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.host import PluginHost
from tests.apps.extensions.conftest import PluginWriter
from tests.factories.accounts import make_user
from tests.factories.orgs import make_org
from tests.factories.pages import HTMX, make_browser

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("host")]
LIST = "/o/acme/plugins"
PROBE = f"{LIST}/collectors/probe"


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


@pytest.fixture
def platform(acme: Org) -> Client:
    client = Client()
    client.force_login(make_user("root", is_superuser=True))
    return client


def read(client: Client, path: str = PROBE) -> str:
    return client.get(path).content.decode()


def test_the_list_says_state_trust_and_version(acme: Org) -> None:
    html = read(make_browser(acme, "viewer"), LIST)

    for words in ("Probe", "1.0.0", "Idle", "custom", "not signed"):
        assert words in html


def test_the_list_can_be_narrowed_to_a_kind_and_a_state(acme: Org) -> None:
    browser = make_browser(acme)

    assert "Probe" not in read(browser, f"{LIST}?kind=datasources")
    assert "Probe" not in read(browser, f"{LIST}?state=broken")
    fragment = browser.get(f"{LIST}?state=idle", headers=HTMX).content.decode()
    assert "Probe" in fragment
    assert "<html" not in fragment


def test_a_broken_plugin_is_shown_with_its_reason(acme: Org, write_plugin: PluginWriter) -> None:
    write_plugin("wreck", engine_version=">=99")
    OrgPlugin.objects.create_for(acme, kind="collectors", name="probe", is_enabled=False)
    host = read(make_browser(acme), f"{LIST}?state=off")
    assert "Probe" not in host  # the process has not read it yet

    stamp_raise(policy=True, folders=True)
    plugins_refresh()

    browser = make_browser(acme, "viewer")
    assert "99" in read(browser, f"{LIST}?state=broken")
    assert "Switched off for this organisation." in read(browser, f"{LIST}?state=off")


def test_the_list_takes_few_queries(
    acme: Org, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    browser = make_browser(acme)
    read(browser, LIST)
    with django_assert_max_num_queries(24):
        read(browser, LIST)


def test_admins_of_the_org_switch_it_for_the_org_alone(acme: Org) -> None:
    browser = make_browser(acme, "admin")
    assert browser.post(f"{PROBE}/switch/off").status_code == 302

    assert not OrgPlugin.objects.for_org(acme).get().is_enabled
    assert not PluginSwitch.objects.exists()
    assert make_browser(acme, "viewer").post(f"{PROBE}/switch/on").status_code == 403
    assert browser.post(f"{PROBE}/switch/sideways").status_code == 404


def test_only_the_platform_switches_it_for_all(acme: Org, platform: Client) -> None:
    assert make_browser(acme, "admin").post(f"{PROBE}/deployment/off").status_code == 403

    platform.post(f"{PROBE}/deployment/off")
    plugins_refresh()

    assert not PluginSwitch.objects.get().is_enabled
    assert "Enable for all" in read(platform)


def test_settings_are_a_form_of_the_schema_and_secrets_stay_hidden(acme: Org) -> None:
    browser = make_browser(acme, "admin")
    assert "Region" in read(browser)

    answer = browser.post(
        f"{PROBE}/settings",
        {"config/region": "north", "config/token": "hush-hush", "resource_version": "0"},
    )

    row = OrgPlugin.objects.for_org(acme).get()
    assert answer.status_code == 302
    assert (row.config, row.secrets) == ({"region": "north"}, {"token": "hush-hush"})
    html = read(browser)
    assert "north" in html
    assert "hush-hush" not in html
    assert "plugin-settings" not in read(make_browser(acme, "viewer"))


def test_a_stale_form_is_refused_and_shown_again(acme: Org) -> None:
    OrgPlugin.objects.create_for(acme, kind="collectors", name="probe", resource_version=3)

    answer = make_browser(acme, "admin").post(
        f"{PROBE}/settings", {"config/region": "south", "resource_version": "1"}
    )

    assert answer.status_code == 422
    assert "changed meanwhile" in answer.content.decode()
    assert "south" in answer.content.decode()


def test_only_the_platform_approves_what_stands_on_the_page(
    acme: Org, platform: Client, write_plugin: PluginWriter, host: PluginHost
) -> None:
    write_plugin(permissions={"network": ["http"]})
    PluginApproval.objects.create(kind="collectors", name="probe", permissions=[])
    platform.post(f"{PROBE}/withdraw")  # has the process look at the folders again
    plugins_refresh()
    assert "network" in read(platform)

    assert platform.post(f"{PROBE}/approve").status_code == 409
    assert make_browser(acme, "admin").post(f"{PROBE}/approve").status_code == 403
    answer = platform.post(f"{PROBE}/approve", {"permission": ["network:http"]})

    assert answer.status_code == 302
    assert PluginApproval.objects.get().permissions == ["network:http"]
    platform.post(f"{PROBE}/withdraw")
    assert not PluginApproval.objects.exists()


def test_calls_errors_and_log_lines_are_shown_to_the_platform_alone(
    acme: Org, platform: Client, host: PluginHost
) -> None:
    ledger = host.registry.ledger((PluginKind.COLLECTOR, "probe"))
    ledger.count("error", took_s=0.5, error="somebody's own words")
    logging.getLogger("detectviz.collectors.probe").warning("a line of %s", "mine")

    mine = read(platform)
    theirs = read(make_browser(acme, "admin"))

    assert "somebody&#x27;s own words" in mine
    assert "a line of mine" in mine
    assert "own words" not in theirs
    assert "a line of mine" not in theirs


def test_what_there_is_not_is_not_found(acme: Org) -> None:
    browser = make_browser(acme)
    assert browser.get(f"{LIST}/collectors/nothing").status_code == 404
    assert browser.get(f"{LIST}/wonders/probe").status_code == 404
