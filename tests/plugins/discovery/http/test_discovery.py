"""The HTTP discovery against a real server on loopback, over TLS too."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from detectviz.collection.discovery import DiscoveryChoice, DiscoveryHost
from detectviz.contracts.discovery import TargetGroup
from detectviz.contracts.errors import CertificateError, EgressDeniedError, PluginError
from detectviz.contracts.types import PluginKind
from detectviz.net.guard import EgressPolicy
from detectviz.net.network import EngineNetwork
from detectviz.pluginhost.configuration import validate
from detectviz.testing.http_server import (
    Answer,
    ReceivedRequest,
    TestAuthority,
    http_server,
    json_answer,
)
from detectviz.testing.plugins import built_in_plugins
from plugins.discovery.http.discovery import HttpDiscovery

Discover = Callable[..., Awaitable[Sequence[TargetGroup]]]
GROUPS = [{"targets": ["a:1", "b:2"], "labels": {"env": "prod"}}]


async def test_targets_carry_the_labels_of_their_group_and_the_url(discover: Discover) -> None:
    with http_server(lambda _: json_answer(GROUPS)) as server:
        url = f"{server.url}/targets?team=web"
        (group,) = await discover("http", {"url": url, "refresh_interval": "1m30s"})
    assert group.targets == ({"__address__": "a:1"}, {"__address__": "b:2"})
    assert group.labels == {"env": "prod", "__meta_url": url}
    (request,) = server.requests
    assert request.headers["x-prometheus-refresh-interval-seconds"] == "90"
    assert request.headers["accept"] == "application/json"
    assert request.query == "team=web"


async def test_no_group_is_no_target(discover: Discover) -> None:
    with http_server(lambda _: json_answer([])) as server:
        assert not await discover("http", {"url": server.url})


@pytest.mark.parametrize("said", ["application/json; charset=utf-8", "Application/JSON"])
async def test_json_may_name_its_charset(discover: Discover, said: str) -> None:
    answer = Answer(headers=(("Content-Type", said),), body=b"[]")
    with http_server(lambda _: answer) as server:
        assert not await discover("http", {"url": server.url})


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Answer(body=b"[]"), "Content-Type '', not application/json"),
        (Answer(headers=(("Content-Type", "text/html"),), body=b"[]"), "text/html"),
        (json_answer([], status=503), "answered 503, not 200"),
        (json_answer(None), "answered null"),
        (json_answer({"targets": []}), "expected a list of target groups"),
        (json_answer([{"targets": "a:1"}]), "group 0: targets must be a list"),
        (json_answer([{"targets": []}, {"hosts": []}]), "group 1: unknown field 'hosts'"),
        (json_answer([{"labels": {"env": 1}}]), "group 0: label env must be text"),
        (
            Answer(headers=(("Content-Type", "application/json"),), body=b"[" * 100_000),
            "answered no JSON",
        ),
    ],
)
async def test_a_bad_answer_names_what_is_wrong_and_no_parameter(
    discover: Discover, answer: Answer, problem: str
) -> None:
    with http_server(lambda _: answer) as server, pytest.raises(PluginError) as raised:
        await discover("http", {"url": f"{server.url}/t?key=canary"})
    assert problem in raised.value.message
    assert raised.value.message.startswith(f"{server.url}/t")
    assert "canary" not in raised.value.message


async def test_the_last_good_targets_stay_while_the_answer_is_bad(
    tmp_path: Path, network: EngineNetwork
) -> None:
    answers = [json_answer(GROUPS), json_answer([{"targets": 1}]), json_answer([])]
    memory: dict[str, object] = {}
    host = DiscoveryHost(registry=_Registry(), folder=tmp_path)
    with http_server(lambda _: answers.pop(0)) as server:
        config = {"url": server.url, "refresh_interval": "0s"}
        choice = DiscoveryChoice(name="http", config=config)
        found = [
            await host.discoverer(
                choice, org="acme", network=network, timeout_s=3, memory=memory
            ).discover()
            for _ in range(3)
        ]
    assert [len(each.groups) for each in found] == [1, 1, 0]
    assert [each.error for each in found] == [
        "",
        f"{server.url}: group 0: targets must be a list.",
        "",
    ]


class _Registry:
    def get(self, name: str, org: str) -> HttpDiscovery:
        return HttpDiscovery()


@pytest.mark.parametrize(
    ("config", "secrets", "header"),
    [
        (
            {"auth": "basic", "basic_auth": {"username": "me"}},
            {"basic_auth/password": "pass"},
            "Basic bWU6cGFzcw==",
        ),
        ({"auth": "authorization"}, {"authorization/credentials": "abc"}, "Bearer abc"),
    ],
)
async def test_it_signs_in(
    discover: Discover, config: dict[str, object], secrets: dict[str, str], header: str
) -> None:
    def respond(request: ReceivedRequest) -> Answer:
        return json_answer(
            [], status=200 if request.headers.get("authorization") == header else 401
        )

    with http_server(respond) as server:
        assert not await discover("http", {"url": server.url, **config}, secrets=secrets)


async def test_certificates_are_verified_against_the_authority_given(
    discover: Discover, authority: TestAuthority
) -> None:
    with http_server(lambda _: json_answer(GROUPS), tls=authority.server_context()) as server:
        assert await discover("http", {"url": server.url, "tls_config": {"ca": authority.ca_pem}})
        assert await discover(
            "http", {"url": server.url, "tls_config": {"insecure_skip_verify": True}}
        )
        with pytest.raises(CertificateError):
            await discover("http", {"url": server.url})


async def test_the_egress_guard_is_asked(discover: Discover) -> None:
    strict = EngineNetwork(EgressPolicy())
    with http_server(lambda _: json_answer(GROUPS)) as server, pytest.raises(EgressDeniedError):
        await discover("http", {"url": server.url}, through=strict)
    assert not server.requests
    await strict.aclose()


@pytest.mark.parametrize("url", ["http://me:secret@example.org/", "ftp://example.org/", "targets"])
def test_a_url_with_a_password_or_another_scheme_is_refused(url: str) -> None:
    schema = built_in_plugins().manifest(PluginKind.DISCOVERY, "http").config_schema
    assert {each.field for each in validate(schema, {"url": url}, {}).problems} == {"/url"}
