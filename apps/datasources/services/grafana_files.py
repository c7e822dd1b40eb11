"""Grafana's provisioning files for data sources, read into our words.

Source: "Provisioning: data sources" of Grafana's documentation. Pure: nothing is written here.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from detectviz.contracts.types import JsonObject
from detectviz.pluginhost.schema import properties_of, secret_paths
from detectviz.resources.errors import InvalidFieldsError
from detectviz.settings import env

MAIN_ORG: Final = 1
_TEXTS: Final = {
    "uid": "uid",
    "access": "access",
    "url": "url",
    "user": "user",
    "database": "database",
    "basicAuthUser": "basic_auth_user",
}
_FLAGS: Final = {"basicAuth": "basic_auth", "isDefault": "is_default"}
# What Grafana writes down and nothing of ours depends on.
_IGNORED: Final = frozenset({"version", "withCredentials", "typeLogoUrl", "typeName", "id"})
_KNOWN: Final = frozenset(
    {"name", "type", "orgId", "orgName", "jsonData", "secureJsonData", "editable", "readOnly"}
) | {*_TEXTS, *_FLAGS, *_IGNORED}
_VARIABLE: Final = re.compile(  # noqa: TID251 - our own constant
    r"\$__env\{(?P<env>\w+)\}|\$__file\{(?P<file>[^{}]+)\}"
    r"|\$\{(?P<braced>\w+)\}|\$(?P<plain>[A-Za-z_]\w*)|\$\$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrafanaEntry:
    """One data source of a file. ``org`` is a name, "" for the main one."""

    name: str
    org: str
    spec: Mapping[str, Any]
    is_prunable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GrafanaFile:
    """What a file asks for: data sources that should be there, and (name, org) that should not."""

    entries: tuple[GrafanaEntry, ...]
    deletions: tuple[tuple[str, str], ...]


def is_grafana_file(document: object) -> bool:
    """Say whether a document is one of Grafana's for data sources."""
    return isinstance(document, Mapping) and document.get("apiVersion", 1) == 1


def grafana_file(document: Mapping[str, Any]) -> GrafanaFile:
    """Read a document; raise InvalidFieldsError naming what is wrong.

    Variables of the environment and files are put in as Grafana does: ``$NAME``, ``${NAME}``,
    ``$__env{NAME}``, ``$__file{/path}``; ``$$`` is a dollar sign.
    """
    unknown = sorted(set(document) - {"apiVersion", "datasources", "deleteDatasources", "prune"})
    if unknown:
        raise InvalidFieldsError({str(unknown[0]): ["This is not known in such a file."]})
    is_prunable = document.get("prune") is True
    entries = [
        _entry(one, f"datasources[{index}]", is_prunable=is_prunable)
        for index, one in enumerate(_list(document, "datasources"))
    ]
    deletions = [
        (_slug(one, f"deleteDatasources[{index}]"), _org(one, f"deleteDatasources[{index}]"))
        for index, one in enumerate(_list(document, "deleteDatasources"))
    ]
    return GrafanaFile(entries=tuple(entries), deletions=tuple(deletions))


def fitted(schema: JsonObject, spec: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the spec with what the plugin's schema knows, and the names it does not.

    Grafana's camelCase names find our snake_case ones; ``jsonData.database`` is the database.
    """
    json_data, secrets = dict(spec["json_data"]), dict(spec["secure_json_data"])
    database = spec.get("database") or json_data.pop("database", "") or ""
    json_data.pop("database", None)
    names = {"/".join(path) for path in secret_paths(schema)}
    plain = set(properties_of(schema)) - names
    kept, lost = _renamed(json_data, plain)
    kept_secrets, lost_secrets = _renamed(secrets, names)
    fit = {**spec, "database": database, "json_data": kept, "secure_json_data": kept_secrets}
    return fit, [
        *(f"jsonData.{name}" for name in lost),
        *(f"secureJsonData.{name}" for name in lost_secrets),
    ]


def name_of(title: str) -> str:
    """Return the name of a data source that Grafana calls ``title``."""
    words = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    return words[:63].strip("-")


def _entry(one: Any, path: str, *, is_prunable: bool) -> GrafanaEntry:
    name = _slug(one, path)
    unknown = sorted(set(one) - _KNOWN)
    if unknown:
        raise InvalidFieldsError({f"{path}.{unknown[0]}": ["This is not known in such a file."]})
    if not isinstance(one.get("type"), str):
        raise InvalidFieldsError({f"{path}.type": ["Required: the type of the data source."]})
    spec: dict[str, Any] = {
        "title": _put_in(str(one["name"]), f"{path}.name"),
        "type": one["type"],
        "read_only": one.get("editable") is not True,
    }
    for theirs, ours in _TEXTS.items():
        value = one.get(theirs)
        if isinstance(value, (Mapping, list)):
            raise InvalidFieldsError({f"{path}.{theirs}": ["Must be text."]})
        if value is not None and value != "":
            spec[ours] = _put_in(str(value), f"{path}.{theirs}")
    for theirs, ours in _FLAGS.items():
        spec[ours] = one.get(theirs) is True
    spec["json_data"] = _put_in_all(_map(one, "jsonData", path), f"{path}.jsonData")
    spec["secure_json_data"] = _put_in_all(
        _map(one, "secureJsonData", path), f"{path}.secureJsonData"
    )
    return GrafanaEntry(name=name, org=_org(one, path), spec=spec, is_prunable=is_prunable)


def _slug(one: Any, path: str) -> str:
    name = one.get("name") if isinstance(one, Mapping) else None
    if not isinstance(name, str) or not name_of(name):
        raise InvalidFieldsError({f"{path}.name": ["Required: a name with letters or digits."]})
    return name_of(_put_in(name, f"{path}.name"))


def _org(one: Mapping[str, Any], path: str) -> str:
    if isinstance(one.get("orgName"), str):
        return str(one["orgName"])
    if one.get("orgId", MAIN_ORG) in (0, MAIN_ORG):
        return ""
    raise InvalidFieldsError(
        {f"{path}.orgId": ["Organisations have names here: write orgName instead."]}
    )


def _list(document: Mapping[str, Any], key: str) -> list[Any]:
    found = document.get(key)
    found = [] if found is None else found
    if not isinstance(found, list):
        raise InvalidFieldsError({key: ["Must be a list."]})
    return found


def _map(one: Mapping[str, Any], key: str, path: str) -> dict[str, Any]:
    found = one.get(key)
    found = {} if found is None else found
    if not isinstance(found, Mapping):
        raise InvalidFieldsError({f"{path}.{key}": ["Must be an object."]})
    return dict(found)


def _renamed(values: Mapping[str, Any], known: set[str]) -> tuple[dict[str, Any], list[str]]:
    kept: dict[str, Any] = {}
    lost: list[str] = []
    for name, value in values.items():
        ours = next((each for each in (name, _snake(name)) if each in known), None)
        if ours is None:
            lost.append(name)
        else:
            kept[ours] = value
    return kept, lost


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _put_in_all(value: Any, path: str) -> Any:
    if isinstance(value, str):
        return _put_in(value, path)
    if isinstance(value, Mapping):
        return {key: _put_in_all(inner, f"{path}.{key}") for key, inner in value.items()}
    if isinstance(value, list):
        return [_put_in_all(inner, f"{path}[{index}]") for index, inner in enumerate(value)]
    return value


def _put_in(text: str, path: str) -> str:
    return "".join(_pieces(text, path))


def _pieces(text: str, path: str) -> Iterator[str]:
    end = 0
    for found in _VARIABLE.finditer(text):
        yield text[end : found.start()]
        yield "$" if found[0] == "$$" else _value(found, path)
        end = found.end()
    yield text[end:]


def _value(found: "re.Match[str]", path: str) -> str:
    if found["file"]:
        try:
            return Path(found["file"]).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise InvalidFieldsError(
                {path: [f"The file {found['file']} can't be read."]}
            ) from error
    name = found["env"] or found["braced"] or found["plain"]
    value = env.raw(name)
    if value is None:
        raise InvalidFieldsError(
            {path: [f"The variable {name} is not set. Write $$ for a dollar sign."]}
        )
    return value
