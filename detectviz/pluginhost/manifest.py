"""Reading ``plugin.yaml`` and the schemas beside it; everything wrong is said at once."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Literal, TypedDict, cast

import yaml
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

import detectviz
from detectviz.contracts.manifest import Category, Manifest, Permissions, Quality
from detectviz.contracts.types import JsonObject, JsonValue, PluginKind
from detectviz.pluginhost.errors import PluginProblem
from detectviz.pluginhost.explain import FieldProblem, find_problems
from detectviz.pluginhost.schema import find_schema_problems, inline_references
from detectviz.pluginhost.site import SITE_FILE, site_problems

MANIFEST_FILE = "plugin.yaml"
SCHEMA_FILE = "config.schema.json"
QUERY_SCHEMA_FILE = "query.schema.json"
SETTINGS_SCHEMA_FILE = "settings.schema.json"
_LARGEST_FILE_BYTES = 262_144


class _PermissionsDocument(TypedDict, total=False):
    network: list[str]
    files: list[str]
    secrets: list[str]
    series: list[str]
    hosts: list[str]
    events: list[str]
    commands: list[str]
    platform: list[str]


class _Document(TypedDict, total=False):
    """``plugin.yaml`` once it has passed manifest.schema.json."""

    api_version: str
    name: str
    version: str
    title: str
    description: str
    category: Category
    engine_version: str
    capability: str
    requirements: list[str]
    dependencies: list[str]
    permissions: _PermissionsDocument
    quality: Quality
    defaults: JsonObject
    aliases: list[str]
    children: list[str]
    loading: Literal["lazy", "eager"]
    callback: JsonObject


def folder_name(name: str) -> str:
    """Return the folder (and Python package) of the plugin called ``name``."""
    return name.replace("-", "_")


def read_manifest(
    folder: Path, kind: PluginKind, *, has_own_name: bool = False
) -> tuple[Manifest | None, tuple[PluginProblem, ...]]:
    """Return the manifest of the plugin in ``folder``, or None and everything to put right.

    Reads these files and no code. ``kind`` is the kind of the folder above. With ``has_own_name``
    the folder may be called otherwise than the plugin.
    """
    problems: list[PluginProblem] = []
    document = _read(folder / MANIFEST_FILE, _load_yaml, problems)
    schema = _read_schema(folder / SCHEMA_FILE, problems)
    query_schema: JsonObject | None = {}
    if kind is PluginKind.DATASOURCE:
        query_schema = _read_schema(folder / QUERY_SCHEMA_FILE, problems)
    settings_schema: JsonObject | None = {}
    if (folder / SETTINGS_SCHEMA_FILE).exists():
        settings_schema = _read_schema(folder / SETTINGS_SCHEMA_FILE, problems)
    site: JsonObject | None = {}
    if kind is PluginKind.PAGES:
        site = _read_site(folder / SITE_FILE, problems)
    if document is not None:
        found = [*find_problems(manifest_schema(), document)]
        found = found or [*_folder_problems(folder, kind, document, has_own_name=has_own_name)]
        problems += _located(folder / MANIFEST_FILE, found)
    if None in (document, schema, query_schema, settings_schema, site) or problems:
        return None, tuple(problems)
    built = _build(kind, cast("_Document", document), inline_references(schema or {}))
    return replace(
        built,
        query_schema=inline_references(query_schema or {}),
        settings_schema=inline_references(settings_schema or {}),
        site=site or {},
    ), ()


def find_missing_requirements(folder: Path, manifest: Manifest) -> tuple[PluginProblem, ...]:
    """Return the libraries the plugin declares and this environment lacks."""
    found: list[PluginProblem] = []
    for index, text in enumerate(manifest.requirements):
        message = _missing_library(Requirement(text))
        if message:
            place = f"/requirements/{index}"
            found.append(PluginProblem(path=folder / MANIFEST_FILE, field=place, message=message))
    return tuple(found)


def _read_site(path: Path, problems: list[PluginProblem]) -> JsonObject | None:
    site = _read(path, _load_yaml, problems)
    if site is None:
        return None
    found = [*find_problems(_site_schema(), site)]
    found = found or [FieldProblem(field=at, message=said) for at, said in site_problems(site)]
    problems += _located(path, found)
    return site


def _read_schema(path: Path, problems: list[PluginProblem]) -> JsonObject | None:
    schema = _read(path, json.loads, problems)
    if schema is not None:
        problems += _located(path, find_schema_problems(schema))
    return schema


def _read(
    path: Path, parse: Callable[[str], JsonValue], problems: list[PluginProblem]
) -> JsonObject | None:
    try:
        if path.exists() and not path.is_file():
            message = "This is no plain file."  # reading from a pipe would wait for ever
        elif path.stat().st_size > _LARGEST_FILE_BYTES:
            message = f"The file is larger than {_LARGEST_FILE_BYTES} bytes; shorten it."
        else:
            document = parse(path.read_text(encoding="utf-8"))
            if isinstance(document, dict):
                return document
            message = "The file must hold one object."
    except OSError as error:
        message = f"The file cannot be read ({error.strerror}); every plugin has one."
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        message = f"The file cannot be understood: {error}"
    problems.append(PluginProblem(path=path, field="", message=message))
    return None


def _load_yaml(text: str) -> JsonValue:
    # libyaml reads five times as fast and is in every wheel; the pure reader is for the rest.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return cast("JsonValue", yaml.load(text, Loader=loader))  # noqa: S506 - both loaders are safe


@cache
def manifest_schema() -> JsonObject:
    """Return the JSON Schema of ``plugin.yaml``."""
    path = Path(__file__).with_name("manifest.schema.json")
    schema = json.loads(path.read_text(encoding="utf-8"))
    # The kinds stand in one place, where their contracts are.
    schema["properties"]["kind"]["enum"] = [kind.value for kind in PluginKind]
    return cast("JsonObject", schema)


@cache
def _site_schema() -> JsonObject:
    path = Path(__file__).with_name("site.schema.json")
    return inline_references(cast("JsonObject", json.loads(path.read_text(encoding="utf-8"))))


def _located(
    path: Path, found: tuple[FieldProblem, ...] | list[FieldProblem]
) -> Iterator[PluginProblem]:
    for problem in found:
        yield PluginProblem(path=path, field=problem.field, message=problem.message)


def _folder_problems(
    folder: Path, kind: PluginKind, document: JsonObject, *, has_own_name: bool
) -> Iterator[FieldProblem]:
    name = str(document["name"])
    if folder_name(name) != folder.name and not has_own_name:
        message = f"The folder is called {folder.name}; call it {folder_name(name)}."
        yield FieldProblem(field="/name", message=message)
    if document["kind"] != kind.value:
        message = f"The folder is below {kind.value}; move it below {document['kind']}."
        yield FieldProblem(field="/kind", message=message)
    module = str(document["capability"]).partition(":")[0]
    if not (folder / f"{module}.py").is_file():
        message = f"There is no file {module}.py beside the manifest."
        yield FieldProblem(field="/capability", message=message)
    yield from _version_problems(str(document["engine_version"]))
    yield from _requirement_problems(cast("_Document", document).get("requirements", []))
    yield from _range_problems(cast("_Document", document).get("dependencies", []))


def _version_problems(wanted: str) -> Iterator[FieldProblem]:
    try:
        allowed = SpecifierSet(wanted)
    except InvalidSpecifier:
        message = "Write a version range such as >=0.1,<1."
    else:
        if allowed.contains(detectviz.__version__, prereleases=True):
            return
        message = (
            f"The plugin is made for Detectviz {wanted} and this is {detectviz.__version__}; "
            "install a version of the plugin made for it."
        )
    yield FieldProblem(field="/engine_version", message=message)


def _requirement_problems(requirements: list[str]) -> Iterator[FieldProblem]:
    for index, text in enumerate(requirements):
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            requirement = None
        if requirement is None or requirement.url:
            message = "Write a library and a version range such as dnspython>=2.9,<3."
            yield FieldProblem(field=f"/requirements/{index}", message=message)


def _range_problems(dependencies: list[str]) -> Iterator[FieldProblem]:
    for index, text in enumerate(dependencies):
        try:
            SpecifierSet(text.lstrip("abcdefghijklmnopqrstuvwxyz0123456789/-").strip())
        except InvalidSpecifier:
            message = "Write kind/name and perhaps a range such as tools/dns >=1,<2."
            yield FieldProblem(field=f"/dependencies/{index}", message=message)


def _missing_library(requirement: Requirement) -> str:
    found = _installed_version(requirement.name)
    if found and requirement.specifier.contains(found, prereleases=True):
        return ""
    have = f"version {found} is installed" if found else "it is not installed"
    return f"The plugin needs {requirement} and {have}; run: pip install '{requirement}'"


@cache
def _installed_version(library: str) -> str:
    try:
        return installed_version(library)
    except PackageNotFoundError:
        return ""


def _build(kind: PluginKind, document: _Document, schema: JsonObject) -> Manifest:
    permissions = document.get("permissions", {})
    return Manifest(
        name=document["name"],
        kind=kind,
        version=document["version"],
        title=document["title"],
        description=document["description"],
        category=document["category"],
        api_version=document["api_version"],
        engine_version=document["engine_version"],
        capability=document["capability"],
        config_schema=schema,
        requirements=tuple(document.get("requirements", ())),
        dependencies=tuple(document.get("dependencies", ())),
        permissions=Permissions(
            network=tuple(permissions.get("network", ())),
            files=tuple(permissions.get("files", ())),
            secrets=tuple(permissions.get("secrets", ())),
            series=tuple(permissions.get("series", ())),
            hosts=tuple(permissions.get("hosts", ())),
            events=tuple(permissions.get("events", ())),
            commands=tuple(permissions.get("commands", ())),
            platform=tuple(permissions.get("platform", ())),
        ),
        quality=document.get("quality", "stable"),
        defaults=document.get("defaults", {}),
        aliases=tuple(document.get("aliases", ())),
        children=tuple(document.get("children", ())),
        is_eager=document.get("loading") == "eager",
        callback=document.get("callback", {}),
    )
