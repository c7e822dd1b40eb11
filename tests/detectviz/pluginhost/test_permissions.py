"""Permissions: what a guarded plugin may reach, read and be told."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from detectviz.contracts.commands import Command, CommandResult
from detectviz.contracts.errors import EgressDeniedError, NetworkError, PluginError
from detectviz.contracts.manifest import Manifest, Permissions
from detectviz.contracts.network import HttpRequest, HttpResponse, Phases
from detectviz.contracts.notifier import MailSender, NotifierContext
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.guards import guard_context
from detectviz.pluginhost.permissions import Guard, may_hear
from detectviz.pluginhost.refusals import EVERY_S, Refusal, RefusalLedger


class Web:
    """An HttpClient whose pages are answers by URL: a status, and where it leads."""

    def __init__(self, pages: dict[str, tuple[int, str]]) -> None:
        self.pages = pages
        self.asked: list[HttpRequest] = []

    def fetch(self, request: HttpRequest) -> HttpResponse:
        self.asked.append(request)
        status, location = self.pages.get(request.url, (200, ""))
        headers = (("Location", location),) if location else ()
        return HttpResponse(
            status_code=status,
            headers=headers,
            body=b"",
            body_truncated=False,
            content_length=0,
            effective_url=request.url,
            version="1.1",
            redirects=0,
            remote_ip="192.0.2.1",
            remote_port=443,
            phases=Phases(),
        )

    def require_allowed(self, host: str, port: int) -> None: ...


def manifest(**permissions: Sequence[str]) -> Manifest:
    declared = Permissions(**{name: tuple(items) for name, items in permissions.items()})
    return Manifest(
        name="enemy",
        kind=PluginKind.NOTIFIER,
        version="1.0.0",
        title="Enemy",
        description="Wants out.",
        category="custom",
        api_version="detectviz/v1",
        engine_version=">=0.1",
        capability="enemy:Enemy",
        config_schema={},
        permissions=declared,
    )


def guarded(
    web: Web, *, config: dict[str, Any] | None = None, **permissions: Sequence[str]
) -> NotifierContext:
    plugin = manifest(**permissions)
    context = NotifierContext(
        config=config or {},
        secrets={"token": "a", "other": "b"},
        timeout_s=1,
        http=web,
        mail=cast("MailSender", None),
        now=lambda: datetime.now(UTC),
        logger=logging.getLogger("enemy"),
    )
    return cast(
        "NotifierContext",
        guard_context(context, Guard(manifest=plugin, granted=plugin.permissions)),
    )


@pytest.mark.parametrize(
    ("pattern", "url", "is_allowed"),
    [
        ("*", "https://anything.example/", True),
        ("api.example.org", "https://api.example.org/x", True),
        ("api.example.org", "https://API.example.org./x", True),
        ("api.example.org", "https://api.example.org.evil.net/", False),
        ("api.example.org", "https://api.example.org@evil.net/", False),
        ("*.example.org", "https://a.b.example.org/", True),
        ("*.example.org", "https://example.org.evil.net/", False),
        ("*.example.org", "https://badexample.org/", False),
        ("api.example.org:443", "https://api.example.org:443/", True),
        ("api.example.org:443", "https://api.example.org:22/", False),
        ("10.0.0.0/8", "http://10.1.2.3/", True),
        ("10.0.0.0/8", "http://11.1.2.3/", False),
        ("config", "https://hooks.example.org/y", True),
        ("config", "https://evil.net/", False),
    ],
)
def test_hosts_are_reached_as_their_patterns_say(pattern: str, url: str, is_allowed: bool) -> None:
    web = Web({})
    config = {"targets": [{"url": "https://hooks.example.org/x"}]}
    http = guarded(web, config=config, network=["http"], hosts=[pattern]).http
    if is_allowed:
        assert http.fetch(HttpRequest(url=url)).status_code == 200
    else:
        with pytest.raises(EgressDeniedError, match=r"permissions\.hosts"):
            http.fetch(HttpRequest(url=url))
    assert bool(web.asked) is is_allowed


def test_a_protocol_that_was_not_asked_for_is_refused() -> None:
    with pytest.raises(EgressDeniedError, match=r"permissions\.network"):
        guarded(Web({}), network=["tcp"], hosts=["*"]).http.fetch(HttpRequest(url="http://a.b/"))


def test_a_redirect_leads_only_where_the_plugin_may_go() -> None:
    web = Web(
        {
            "http://a.example/": (302, "http://b.example/x"),
            "http://b.example/x": (302, "http://evil.net/"),
        }
    )
    http = guarded(web, network=["http"], hosts=["a.example", "b.example"]).http
    asked = HttpRequest(url="http://a.example/", method="POST", headers=[("Authorization", "x")])
    with pytest.raises(EgressDeniedError, match=r"evil\.net"):
        http.fetch(asked)
    assert [each.url for each in web.asked] == ["http://a.example/", "http://b.example/x"]
    assert (web.asked[1].method, list(web.asked[1].headers)) == ("GET", [])


def test_redirects_in_a_circle_end() -> None:
    web = Web({"http://a.example/": (302, "/")})
    with pytest.raises(NetworkError, match="redirects"):
        guarded(web, network=["http"], hosts=["a.example"]).http.fetch(
            HttpRequest(url="http://a.example/", max_redirects=3)
        )


@pytest.mark.parametrize(
    "changes",
    [{"resolve": {"a.example": "198.51.100.1"}}, {"proxy_url": "http://evil.net:3128"}],
)
def test_names_that_are_turned_elsewhere_are_asked_for_too(changes: dict[str, Any]) -> None:
    http = guarded(Web({}), network=["http"], hosts=["a.example"]).http
    with pytest.raises(EgressDeniedError):
        http.fetch(HttpRequest(url="http://a.example/", **changes))


def test_secrets_come_by_name() -> None:
    assert guarded(Web({}), secrets=["token"]).secrets == {"token": "a"}


@pytest.mark.parametrize(
    ("granted", "event", "is_allowed"),
    [
        ("subscribe:detectviz.alert.*", "detectviz.alert.changed", True),
        ("subscribe:*", "detectviz.alert.changed", True),
        ("subscribe:detectviz.monitor.*", "detectviz.alert.changed", False),
    ],
)
def test_events_are_heard_by_pattern(granted: str, event: str, *, is_allowed: bool) -> None:
    assert may_hear(manifest(events=[granted]).permissions, event) is is_allowed


def test_files_and_scripts_are_refused_without_their_permission() -> None:
    plugin = manifest(files=["/srv/data/*"])
    guard = Guard(manifest=plugin, granted=plugin.permissions)
    guard.require_file("/srv/data/a.csv")
    with pytest.raises(PluginError, match="may not read"):
        guard.require_file("/etc/shadow")
    with pytest.raises(EgressDeniedError):
        guard.require_commands("check_disk")


class Scripts:
    """A BlockingCommandRunner of scripts that do nothing."""

    def run(self, command: Command) -> CommandResult:
        return CommandResult(exit_code=0, stdout=b"", stderr=b"", duration_s=0.0)


def test_a_notifier_runs_scripts_only_with_their_permission() -> None:
    for granted, is_run in ((), False), (("scripts",), True):
        plugin = manifest(commands=granted)
        context = replace(guarded(Web({})), scripts=Scripts())
        scripts = guard_context(context, Guard(manifest=plugin, granted=plugin.permissions)).scripts
        if is_run:
            assert scripts.run(Command(program="x")).exit_code == 0
        else:
            with pytest.raises(EgressDeniedError, match="commands"):
                scripts.run(Command(program="x"))


def test_a_refusal_is_told_once_a_minute() -> None:
    now = 0.0
    ledger = RefusalLedger(clock=lambda: now)
    told: list[Refusal] = []
    ledger.listen(told.append)
    refusal = Refusal(kind=PluginKind.COLLECTOR, plugin="e", permission="hosts", wanted="x")
    for _ in range(5):
        ledger.record(refusal)
    ledger.drain()
    assert len(told) == 1
    now = EVERY_S
    ledger.record(refusal)
    ledger.drain()
    assert len(told) == 2
