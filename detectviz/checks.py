"""System checks of the settings: what is wrong, and which variable to change. No database here."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core import checks

from detectviz.pluginhost.truststores import trust_files_read
from detectviz.runtime.plugin_trust import UNSIGNED_DIRECTORIES, plugin_registries
from detectviz.tsdb.interface import StoreError
from detectviz.tsdb.opening import open_backend

TAG = "detectviz"
OTHERS_MAY_ACCESS = 0o077
LARGEST_PORT = 65_535


@checks.register(TAG)
def check_addresses(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> Iterator[checks.CheckMessage]:
    """Demand that we know the names we answer to and the address people type."""
    if not settings.ALLOWED_HOSTS:
        yield checks.Error(
            "No host name is allowed, so every request would be refused.",
            hint="Set DETECTVIZ_ALLOWED_HOSTS to the names people and programs use, "
            "such as detectviz.example.org.",
            id="detectviz.E001",
        )
    external = urlsplit(settings.EXTERNAL_URL)
    if external.scheme not in {"http", "https"} or not external.hostname:
        yield checks.Error(
            f"DETECTVIZ_EXTERNAL_URL={settings.EXTERNAL_URL!r} is no address of pages.",
            hint="Set it to what people type, such as https://detectviz.example.org.",
            id="detectviz.E002",
        )
    if external.scheme == "https" and not settings.TRUSTED_PROXIES:
        yield checks.Warning(
            "People come by https, so through a proxy, but no proxy is trusted: all requests "
            "seem to come from one address.",
            hint="Set DETECTVIZ_TRUSTED_PROXIES to the proxy's network, such as 127.0.0.1/32.",
            id="detectviz.W003",
        )
    if settings.PORT == settings.SYS_PORT:
        yield checks.Error(
            f"Pages and health share port {settings.PORT}.",
            hint="Set DETECTVIZ_SYS_PORT to another port than DETECTVIZ_PORT.",
            id="detectviz.E004",
        )


@checks.register(TAG)
def check_servers(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> Iterator[checks.CheckMessage]:
    """Demand servers that go together."""
    engine = str(settings.DATABASES["default"]["ENGINE"])
    if not settings.IS_EMBEDDED and "sqlite" in engine:
        yield checks.Error(
            "DETECTVIZ_REDIS_URL is set, so processes run on their own, but they would share no "
            "database: SQLite is for the embedded size.",
            hint="Set DETECTVIZ_DATABASE_URL to postgresql://user:password@host:5432/name, or "
            "unset DETECTVIZ_REDIS_URL.",
            id="detectviz.E005",
        )
    if not settings.IS_EMBEDDED and urlsplit(settings.REDIS_URL).scheme not in {"redis", "rediss"}:
        yield checks.Error(
            "DETECTVIZ_REDIS_URL is no address of a Redis server.",
            hint="Set it to redis://:password@host:6379/0 (rediss:// for TLS).",
            id="detectviz.E006",
        )
    yield from _check_series_store()
    if settings.EMAIL_USE_TLS and settings.EMAIL_USE_SSL:
        yield checks.Error(
            "A mail server can't be spoken to by STARTTLS and by TLS at once.",
            hint="Set only one of DETECTVIZ_SMTP_STARTTLS (port 587) and DETECTVIZ_SMTP_TLS (465).",
            id="detectviz.E008",
        )


def _check_series_store() -> Iterator[checks.CheckMessage]:
    """Demand a URL of a store that we know, and options that it has."""
    if not settings.TSDB_URL:
        return
    try:
        open_backend(settings.TSDB_URL).close()
    except StoreError as error:
        yield checks.Error(
            f"DETECTVIZ_TSDB_URL is wrong: {str(error).removeprefix('DETECTVIZ_TSDB_URL: ')}.",
            hint="Write it as in victoriametrics+http://host:8428 (docs/settings.md has the other "
            "kinds and all options), or leave it empty for the embedded store.",
            id="detectviz.E007",
        )


@checks.register(TAG)
def check_words(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> Iterator[checks.CheckMessage]:
    """Demand lists that can be read: targets and folders."""
    for target in settings.CONNECTIVITY_TARGETS:
        host, _, port = target.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) <= LARGEST_PORT:
            yield checks.Error(
                f"DETECTVIZ_CONNECTIVITY_TARGETS: {target!r} is no host with a port.",
                hint="Write host:port words separated by commas, such as 192.0.2.1:53.",
                id="detectviz.E009",
            )
    for folder in settings.PLUGIN_DIRS:
        if not folder.is_dir():
            yield checks.Warning(
                f"DETECTVIZ_PLUGIN_DIRS: there is no folder {folder}.",
                hint="Create it, or take it out of the list.",
                id="detectviz.W010",
            )


@checks.register(TAG)
def check_plugin_trust(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> Iterator[checks.CheckMessage]:
    """Demand registries and trust files that can be read, and names where names are meant."""
    try:
        plugin_registries()
    except ValueError as error:
        yield checks.Error(
            f"DETECTVIZ_PLUGIN_REGISTRIES: {error}",
            hint="Write name=file:///folder or name=https://host/path, and tokens as name=token.",
            id="detectviz.E012",
        )
    problem = trust_files_read(settings.PLUGIN_TRUST_DIR).problem
    if problem:
        yield checks.Warning(
            f"DETECTVIZ_PLUGIN_TRUST_DIR: {problem}",
            hint="Until it is put right no plugin runs but the built-in ones.",
            id="detectviz.W013",
        )
    for word in settings.PLUGINS_UNSIGNED:
        is_folders = word == UNSIGNED_DIRECTORIES and settings.IS_EMBEDDED
        if not is_folders and word.count("/") != 1:
            yield checks.Warning(
                f"DETECTVIZ_PLUGINS_UNSIGNED: {word!r} is no plugin and changes nothing.",
                hint="Name each plugin as kind/name; directories is for the embedded size only.",
                id="detectviz.W014",
            )


@checks.register(TAG)
def check_secrets(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> Iterator[checks.CheckMessage]:
    """Demand secrets that we alone can read."""
    folder = Path(settings.DATA_DIR) / "secrets"
    open_to_others = [path for path in (folder, *sorted(folder.glob("*"))) if _is_open(path)]
    if open_to_others:
        names = ", ".join(str(path) for path in open_to_others)
        yield checks.Warning(
            f"Other users of this machine may read secrets: {names}.",
            hint=f"Run: chmod -R go= {folder}",
            id="detectviz.W011",
        )


def _is_open(path: Path) -> bool:
    return path.exists() and bool(path.stat().st_mode & OTHERS_MAY_ACCESS)


def settings_problems() -> list[checks.CheckMessage]:
    """Run these checks alone: cheap enough for every start."""
    return checks.run_checks(tags=[TAG])


def sentence(problem: checks.CheckMessage) -> str:
    """Return a problem as it is told to an operator."""
    return " ".join(part for part in (str(problem.msg), problem.hint) if part)
