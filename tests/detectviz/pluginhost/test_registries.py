"""Registries over HTTP and from a folder; nothing of theirs is believed unverified."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from detectviz.clock import utc_now
from detectviz.net.guard import EgressPolicy
from detectviz.net.http import SyncHttpClient
from detectviz.pluginhost.installing import bundle_open
from detectviz.pluginhost.registries import (
    INDEX_FILE,
    Registry,
    RegistryClient,
    RegistryError,
    Release,
    index_make,
    registries_parse,
    release_choose,
)
from detectviz.testing.http_server import Answer, ReceivedRequest, RunningServer, http_server
from tests.detectviz.pluginhost.conftest import PluginMaker, Signer

NAME = "collectors/dummy"


@pytest.fixture
def folder(make_plugin: PluginMaker, signer: Signer, tmp_path: Path) -> Path:
    place = tmp_path / "registry"
    place.mkdir()
    (place / "dummy-1.0.0.dvplugin").write_bytes(signer.sign(make_plugin()))
    _publish(place, signer)
    return place


def _publish(folder: Path, signer: Signer, *, version: int = 1, days: int = 1) -> None:
    now = utc_now() - timedelta(days=2 if days < 0 else 0, minutes=1)
    ends = now + timedelta(days=abs(days))
    data = index_make(
        folder, signer.key, registry="acme", version=version, issued_at=now, expires_at=ends
    )
    (folder / INDEX_FILE).write_bytes(data)


@pytest.fixture
def server(folder: Path) -> Iterator[RunningServer]:
    def respond(request: ReceivedRequest) -> Answer:
        if request.headers.get("authorization") != "Bearer open-sesame":
            return Answer(status=401)
        path = folder / request.path.rpartition("/")[2]
        return Answer(body=path.read_bytes()) if path.is_file() else Answer(status=404)

    with http_server(respond) as running:
        yield running


@pytest.fixture
def http() -> Iterator[SyncHttpClient]:
    client = SyncHttpClient(EgressPolicy(allow_private=True))
    yield client
    client.close()


def _client(url: str, signer: Signer, http: SyncHttpClient, token: str = "") -> RegistryClient:
    return RegistryClient([Registry(name="acme", url=url, token=token)], signer.policy(), http)


def test_a_registry_behind_http_is_asked_with_its_token(
    server: RunningServer, signer: Signer, http: SyncHttpClient
) -> None:
    client = _client(f"{server.url}/plugins", signer, http, "open-sesame")
    release = release_choose(client.releases(), NAME)
    assert (release.version, release.registry) == ("1.0.0", "acme")
    candidate = bundle_open(client.fetch(release), signer.policy(), sha256=release.sha256)
    assert candidate.plugin == NAME
    with pytest.raises(RegistryError, match="status 401"):
        _client(server.url, signer, http).releases()


def test_a_redirect_is_not_followed(signer: Signer, http: SyncHttpClient) -> None:
    away = Answer(status=302, headers=(("Location", "http://127.0.0.1:1/index.json"),))
    with http_server(lambda _: away) as running:
        with pytest.raises(RegistryError, match="status 302"):
            _client(running.url, signer, http, "open-sesame").releases()
        assert len(running.requests) == 1


def test_a_registry_obeys_the_egress_rules(server: RunningServer, signer: Signer) -> None:
    guarded = SyncHttpClient(EgressPolicy(deny=["127.0.0.0/8"]))
    try:
        with pytest.raises(RegistryError, match="The registry acme"):
            _client(server.url, signer, guarded, "open-sesame").releases()
    finally:
        guarded.close()


def test_an_expired_index_is_refused(folder: Path, signer: Signer, http: SyncHttpClient) -> None:
    _publish(folder, signer, days=-1)
    with pytest.raises(RegistryError, match="expired"):
        _client(f"file://{folder}", signer, http).releases()


def test_two_indexes_of_one_number_are_refused(
    folder: Path, signer: Signer, http: SyncHttpClient
) -> None:
    client = _client(f"file://{folder}", signer, http)
    client.releases()
    _publish(folder, signer, days=3)
    with pytest.raises(RegistryError, match="two different indexes 1"):
        client.releases()
    _publish(folder, signer, version=2)
    assert client.releases()


def test_the_first_registry_that_has_a_plugin_is_the_only_one(
    folder: Path, signer: Signer, http: SyncHttpClient, tmp_path: Path, make_plugin: PluginMaker
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    newer = make_plugin(source="newer", version="9.0.0")
    (other / "dummy-9.0.0.dvplugin").write_bytes(signer.sign(newer))
    now = utc_now()
    ends = now + timedelta(days=1)
    data = index_make(
        other, signer.key, registry="other", version=1, issued_at=now, expires_at=ends
    )
    (other / INDEX_FILE).write_bytes(data)
    registries = [
        Registry(name="acme", url=f"file://{folder}"),
        Registry(name="other", url=f"file://{other}"),
    ]
    found = RegistryClient(registries, signer.policy(), http).releases()
    assert [release.version for release in found] == ["1.0.0"]
    found = RegistryClient(registries[::-1], signer.policy(), http).releases()
    assert [release.version for release in found] == ["9.0.0"]


def test_a_link_in_a_folder_is_not_followed(
    folder: Path, signer: Signer, http: SyncHttpClient
) -> None:
    (folder / INDEX_FILE).rename(folder / "real.json")
    (folder / INDEX_FILE).symlink_to(folder / "real.json")
    with pytest.raises(RegistryError, match="cannot be read"):
        _client(f"file://{folder}", signer, http).releases()


def _release(version: str, engine: str = ">=0.1") -> Release:
    return Release(
        registry="acme", plugin=NAME, version=version, file="x.dvplugin", sha256="", size=1,
        title="", description="", engine_version=engine, permissions=(), dependencies=(),
    )  # fmt: skip


def test_the_newest_release_that_fits_is_chosen() -> None:
    releases = [
        _release("1.9.0"), _release("1.10.0"), _release("2.0.0-rc.1"), _release("3.0.0", ">=900"),
    ]  # fmt: skip
    assert release_choose(releases, NAME).version == "1.10.0"
    assert release_choose(releases, NAME, "2.0.0-rc.1").version == "2.0.0-rc.1"
    with pytest.raises(RegistryError, match=r"there are: 1\.9\.0, 1\.10\.0"):
        release_choose(releases, NAME, "4.0.0")
    with pytest.raises(RegistryError, match="No registry has notifiers/x"):
        release_choose(releases, "notifiers/x")
    with pytest.raises(RegistryError, match="for Detectviz"):
        release_choose([replace(releases[3])], NAME)


@pytest.mark.parametrize(
    ("urls", "tokens", "reason"),
    [
        (["acme"], [], "not written as name=url"),
        (["acme=ftp://x/y"], [], "is no registry"),
        (["acme=file://host/x"], [], "is no registry"),
        (["acme=https://x/y", "acme=https://x/z"], [], "two registries called acme"),
        (["acme=http://example.org/"], ["acme=secret"], "travel in the open"),
        (["acme=https://x/y"], ["other=secret"], "a token for other"),
        (["acme=https://x/y"], ["secret"], "a token is not written"),
    ],
)
def test_a_wrong_registry_is_told(urls: list[str], tokens: list[str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as told:
        registries_parse(urls, tokens)
    assert "secret" not in str(told.value)
