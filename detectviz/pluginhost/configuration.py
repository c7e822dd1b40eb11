"""Configurations of plugins: checked, completed with defaults, secrets kept apart.

A secret is named by its path without the leading slash: ``bearer_token``, ``auth/password``.
Schemas come from a manifest, where references are already inlined.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from detectviz.contracts.types import JsonObject, JsonValue
from detectviz.pluginhost.explain import find_problems, pointer
from detectviz.pluginhost.schema import is_secret, properties_of, secret_paths, walk_properties

SecretMap = Mapping[str, str]
_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ldap": 389, "ldaps": 636}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationProblem:
    """One value to change. ``field`` is a JSON pointer into the config, or into the secrets."""

    field: str
    message: str
    is_secret: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidatedConfiguration:
    """A configuration with defaults filled in; use it only when ``problems`` is empty."""

    config: JsonObject
    secrets: SecretMap
    problems: tuple[ConfigurationProblem, ...] = field(default=())


def validate(
    schema: JsonObject, config: JsonObject, secrets: Mapping[str, JsonValue]
) -> ValidatedConfiguration:
    """Check ``config`` and ``secrets`` together and fill in defaults, deeply.

    Never raises for what a user wrote: every problem is returned at once, each naming its field.
    """
    if not isinstance(config, Mapping) or not isinstance(secrets, Mapping):
        problem = ConfigurationProblem(field="", message="Config and secrets must be objects.")
        return ValidatedConfiguration(config={}, secrets={}, problems=(problem,))
    names = {"/".join(path): path for path in secret_paths(schema)}
    problems = [*_misplaced_secrets(config, names), *_misnamed_secrets(secrets, names)]
    completed = fill_defaults(schema, config)
    known = {name: value for name, value in secrets.items() if name in names}
    merged = _insert(completed, {names[name]: value for name, value in known.items()})
    pointers = {pointer(path): pointer((name,)) for name, path in names.items()}
    misplaced = {problem.field for problem in problems}
    for problem in find_problems(schema, merged):
        if problem.field in misplaced:
            continue
        secret = pointers.get(problem.field)
        problems.append(
            ConfigurationProblem(
                field=secret or problem.field, message=problem.message, is_secret=secret is not None
            )
        )
    texts = {name: value for name, value in known.items() if isinstance(value, str)}
    return ValidatedConfiguration(config=completed, secrets=texts, problems=tuple(problems))


def fill_defaults(schema: JsonObject, config: JsonObject) -> JsonObject:
    """Return ``config`` with every default of ``schema`` that it does not set itself.

    A missing object appears when nothing in it is required; entries of lists are completed too.
    """
    completed = dict(config)
    for name, described in properties_of(schema).items():
        if is_secret(described):
            continue
        if name not in completed:
            if "default" in described:
                completed[name] = described["default"]
            elif "properties" in described and not described.get("required"):
                completed[name] = {}
        if name in completed:
            completed[name] = _fill_value(described, completed[name])
    return completed


def split_secrets(schema: JsonObject, document: JsonObject) -> tuple[JsonObject, SecretMap]:
    """Return (config, secrets) of one document that holds both, such as a submitted form.

    Empty secrets are left out: an untouched password field means "keep what is stored".
    """
    secrets: dict[str, str] = {}
    config = document
    for path in secret_paths(schema):
        value = _look_up(document, path)
        config = _remove(config, path)
        if isinstance(value, str) and value:
            secrets["/".join(path)] = value
    return config, secrets


def merge_secrets(
    schema: JsonObject, stored: SecretMap, given: Mapping[str, JsonValue]
) -> dict[str, JsonValue]:
    """Return the secrets after a write.

    A text replaces what is stored, null removes it, ``{"set": true}`` (how secrets are read back)
    or absence keeps it. Names the schema does not know are kept only from ``given``, so that
    ``validate`` refuses them by name; stored ones the schema has dropped disappear.
    """
    known = {"/".join(path) for path in secret_paths(schema)}
    merged: dict[str, JsonValue] = {name: text for name, text in stored.items() if name in known}
    for name, value in given.items():
        if value is None:
            merged.pop(name, None)
        elif not _is_mask(value):
            merged[name] = value
    return merged


def mask(schema: JsonObject, secrets: SecretMap) -> dict[str, JsonObject]:
    """Return what may be read back: which secrets are set, never their text."""
    names = ["/".join(path) for path in secret_paths(schema)]
    return {name: {"set": True} for name in names if secrets.get(name)}


def target_changed(schema: JsonObject, old: JsonObject, new: JsonObject) -> bool:
    """Return whether secrets must be entered again, because they would go to another host.

    Compares every property marked ``"x-target": true``: a URL by scheme, host and port, anything
    else whole. Otherwise who may edit but not read a secret could have it sent to himself.
    """
    before, after = fill_defaults(schema, old), fill_defaults(schema, new)
    return any(
        _target(described, _look_up(before, path)) != _target(described, _look_up(after, path))
        for path, described in walk_properties(schema)
        if described.get("x-target") is True
    )


def _misplaced_secrets(
    config: JsonObject, names: Mapping[str, tuple[str, ...]]
) -> Iterator[ConfigurationProblem]:
    for name, path in names.items():
        if _look_up(config, path) is not None:
            message = f"This is a secret: move it out of config to secrets, as {name}."
            yield ConfigurationProblem(field=pointer(path), message=message)


def _misnamed_secrets(
    secrets: Mapping[str, JsonValue], names: Mapping[str, tuple[str, ...]]
) -> Iterator[ConfigurationProblem]:
    for name in secrets:
        if name not in names:
            known = f"use one of {', '.join(names)}" if names else "this plugin has none"
            message = f"There is no such secret; {known}."
            yield ConfigurationProblem(field=pointer((name,)), message=message, is_secret=True)


def _fill_value(described: JsonObject, value: JsonValue) -> JsonValue:
    if isinstance(value, Mapping) and "properties" in described:
        return fill_defaults(described, value)
    items = described.get("items")
    if isinstance(value, list) and isinstance(items, Mapping):
        return [_fill_value(items, entry) for entry in value]
    return value


def _look_up(document: JsonValue, path: tuple[str, ...]) -> JsonValue:
    for part in path:
        if not isinstance(document, Mapping):
            return None
        document = document.get(part)
    return document


def _insert(document: JsonObject, values: Mapping[tuple[str, ...], JsonValue]) -> JsonObject:
    merged = dict(document)
    for path, value in values.items():
        head, rest = path[0], path[1:]
        inner = merged.get(head)
        if not rest:
            merged[head] = value
        elif inner is None or isinstance(inner, Mapping):
            merged[head] = _insert(inner or {}, {rest: value})
    return merged


def _remove(document: JsonObject, path: tuple[str, ...]) -> JsonObject:
    head, rest = path[0], path[1:]
    inner = document.get(head)
    if not rest:
        return {name: value for name, value in document.items() if name != head}
    if not isinstance(inner, Mapping):
        return document
    return {**document, head: _remove(inner, rest)}


def _is_mask(value: JsonValue) -> bool:
    return isinstance(value, Mapping) and value.get("set") is True


def _target(described: JsonObject, value: JsonValue) -> JsonValue:
    if not isinstance(value, str):
        return value
    if described.get("format") != "uri":
        return value.strip().lower()
    try:
        parts = urlsplit(value.strip())
        port = parts.port
    except ValueError:
        return value
    return f"{parts.scheme}://{parts.hostname}:{port or _DEFAULT_PORTS.get(parts.scheme)}"
