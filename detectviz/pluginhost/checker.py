"""``detectviz plugins check``: everything to put right in a plugin, found without running it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.pluginhost.errors import PluginProblem
from detectviz.pluginhost.explain import pointer
from detectviz.pluginhost.imports import find_violations, libraries_used, requirement_modules
from detectviz.pluginhost.judging import code_complaints, derives_from
from detectviz.pluginhost.kinds import KINDS
from detectviz.pluginhost.loading import package_name
from detectviz.pluginhost.manifest import (
    MANIFEST_FILE,
    QUERY_SCHEMA_FILE,
    SCHEMA_FILE,
    find_missing_requirements,
    read_manifest,
)
from detectviz.pluginhost.schema import is_secret, properties_of, secret_paths

_REQUIRED_FILES = {
    "README.md": "Tell the operator in a few lines what the plugin does and what to know.",
    "icon.svg": "Draw an icon.",
    "__init__.py": "Add an empty file, so that tools see a package.",
}
_SECRET_WORDS = ("password", "passwd", "secret", "token", "api_key", "apikey", "private_key")
_MOST_LINES = 600
_PATH_KEYS = ("items", "additionalProperties")


def check_plugin(folder: Path, tests: Path | None = None) -> tuple[PluginProblem, ...]:
    """Return everything to put right in the plugin in ``folder``; empty when it is ready.

    ``folder`` is ``…/<kind>/<name>``. Its tests are looked for in ``tests/<kind>/<name>``, and in
    the plugin's own ``tests`` folder where ``tests`` is None. Imports nothing of the plugin.
    """
    folder = folder.resolve()
    if folder.parent.name not in set(PluginKind):
        known = ", ".join(kind.value for kind in PluginKind)
        message = f"A plugin lies in a folder named after its kind, one of {known}."
        return (PluginProblem(path=folder, field="", message=message),)
    kind = PluginKind(folder.parent.name)
    manifest, problems = read_manifest(folder, kind)
    if manifest is None:
        return problems
    return (
        *find_missing_requirements(folder, manifest),
        *_file_problems(folder),
        *_schema_problems(folder, manifest),
        *_code_problems(folder, manifest),
        *_test_problems(folder, tests),
    )


def _file_problems(folder: Path) -> Iterator[PluginProblem]:
    for name, message in _REQUIRED_FILES.items():
        path = folder / name
        if not path.is_file():
            yield PluginProblem(path=path, field="", message=f"The file is missing. {message}")
    initialiser = folder / "__init__.py"
    if initialiser.is_file() and initialiser.read_text(encoding="utf-8").strip():
        message = "Empty the file: importing a package does nothing."
        yield PluginProblem(path=initialiser, field="", message=message)


def _schema_problems(folder: Path, manifest: Manifest) -> Iterator[PluginProblem]:
    path = folder / SCHEMA_FILE
    yield from _undescribed(path, manifest.config_schema)
    yield from _query_schema_problems(folder / QUERY_SCHEMA_FILE, manifest.query_schema)
    for place, described in _walk(manifest.config_schema, ()):
        name = place[-1].lower()
        is_text = described.get("type") == "string" and "enum" not in described
        if is_text and not is_secret(described) and name.endswith(_SECRET_WORDS):
            message = 'This looks like a secret: say "writeOnly": true, or call it something else.'
            yield PluginProblem(path=path, field=pointer(place), message=message)
    secrets = {"/".join(secret) for secret in secret_paths(manifest.config_schema)}
    for secret in sorted(secrets & set(manifest.defaults)):
        message = "Remove the secret from the defaults."
        yield PluginProblem(
            path=folder / MANIFEST_FILE, field=pointer(("defaults", secret)), message=message
        )
    if secrets != set(manifest.permissions.secrets):
        listed = ", ".join(sorted(secrets)) or "none"
        message = f"List the secrets of the schema here: {listed}."
        yield PluginProblem(
            path=folder / MANIFEST_FILE, field="/permissions/secrets", message=message
        )


def _undescribed(path: Path, schema: JsonObject) -> Iterator[PluginProblem]:
    for place, described in _walk(schema, ()):
        for wanted in ("title", "description"):
            if not described.get(wanted):
                message = f"Add a {wanted}: the form and the documentation show it."
                yield PluginProblem(path=path, field=pointer((*place, wanted)), message=message)


def _query_schema_problems(path: Path, schema: JsonObject) -> Iterator[PluginProblem]:
    yield from _undescribed(path, schema)
    for place, described in _walk(schema, ()):
        if is_secret(described):
            message = "Move the secret to the configuration: a query is stored and shown as it is."
            yield PluginProblem(path=path, field=pointer(place), message=message)


def _walk(
    schema: JsonObject, place: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], JsonObject]]:
    """Yield every property, those of the entries of lists too, with its place in the schema."""
    for name, described in properties_of(schema).items():
        here = (*place, "properties", name)
        yield here, described
        yield from _walk(described, here)
    for key in _PATH_KEYS:
        inner = schema.get(key)
        if isinstance(inner, Mapping):
            yield from _walk(inner, (*place, key))


def _code_problems(folder: Path, manifest: Manifest) -> Iterator[PluginProblem]:
    package = package_name(manifest.kind, manifest.name)
    used: set[str] = set()
    for path in sorted(folder.rglob("*.py")):
        if "tests" in path.relative_to(folder).parts:
            continue
        source = path.read_text(encoding="utf-8")
        lines = source.count("\n")
        if lines > _MOST_LINES:
            message = f"The module has {lines} lines; split it, {_MOST_LINES} is the most."
            yield PluginProblem(path=path, field="", message=message)
        try:
            for violation in find_violations(source, manifest, package):
                place = f"line {violation.line}"
                yield PluginProblem(path=path, field=place, message=violation.message)
            for line, complaint in code_complaints(source):
                yield PluginProblem(path=path, field=f"line {line}", message=complaint)
            used |= libraries_used(source)
        except SyntaxError as error:
            message = f"This is not Python: {error.msg}."
            yield PluginProblem(path=path, field=f"line {error.lineno}", message=message)
            return
    for text in manifest.requirements:
        if not requirement_modules(text) & used:
            message = f"Nothing imports {text}; remove it from the requirements."
            yield PluginProblem(path=folder / MANIFEST_FILE, field="/requirements", message=message)


def _test_problems(folder: Path, tests: Path | None) -> Iterator[PluginProblem]:
    place = folder / "tests" if tests is None else tests / folder.parent.name / folder.name
    suite = KINDS[PluginKind(folder.parent.name)].suite
    files = sorted(place.glob("test_*.py"))
    if not files:
        message = f"There are no tests; subclass the conformance suite in {suite}."
        yield PluginProblem(path=place, field="", message=message)
    elif not any(derives_from(path.read_text(encoding="utf-8"), suite) for path in files):
        message = f"No test subclasses the conformance suite of the kind; it is in {suite}."
        yield PluginProblem(path=place, field="", message=message)
