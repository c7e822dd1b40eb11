"""The plugins a composition names, held against those that are installed."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from detectviz.composition.documents import Document
from detectviz.composition.model import Composition, PluginUse
from detectviz.composition.problems import CompositionProblem
from detectviz.composition.references import is_reference
from detectviz.composition.selecting import Selected, selected_list
from detectviz.contracts.types import JsonObject
from detectviz.pluginhost.dependencies import dependencies_of
from detectviz.pluginhost.description import PluginDescription, shown
from detectviz.pluginhost.explain import find_problems, pointer
from detectviz.pluginhost.schema import is_secret, properties_of, secret_paths

# Plugins configured by each resource that uses them: what a composition says are defaults.
PER_RESOURCE = frozenset(
    {"collectors", "datasources", "discovery", "exporters", "importers", "notifiers"}
)
Problems = Iterator[CompositionProblem]
_NOT_HERE = "This is a secret; write {env: VARIABLE} or {file: /path} and put it there."


def plugin_problems(
    composition: Composition, document: Document, installed: Sequence[PluginDescription]
) -> Problems:
    """Yield what names no plugin, what a plugin needs and is not declared, and wrong configs."""
    by_name = {shown(plugin.key): plugin for plugin in installed}
    names = sorted(by_name)
    chosen: set[str] = set()
    for index, use in enumerate(composition.plugins):
        here = f"/spec/plugins/{index}"
        found = [name for name in names if fnmatchcase(name, use.name)]
        if not found:
            yield document.problem(f"{here}/name", _not_installed(use.name, names))
        if use.is_enabled:
            chosen.update(found)
        yield from _config_problems(use, here, [by_name[name] for name in found], document)
    for one in selected_list(composition):
        plugin = by_name.get(one.plugin)
        if plugin is None:
            yield document.problem(one.name_at, _not_installed(one.plugin, names))
        else:
            yield from _selected_problems(one, plugin, document)
    for index, use in enumerate(composition.plugins):
        for name in names:
            if use.is_enabled and fnmatchcase(name, use.name):
                yield from _need_problems(by_name[name], chosen, names, index, document)


def _not_installed(name: str, installed: Sequence[str]) -> str:
    near = get_close_matches(name, installed, n=1)
    hint = f"did you mean {near[0]}?" if near else "install it, or remove it."
    return f"No plugin {name} is installed; {hint}"


def _selected_problems(one: Selected, plugin: PluginDescription, document: Document) -> Problems:
    """Yield what is wrong with the whole configuration of a plugin that is chosen."""
    if plugin.manifest is None:
        reasons = "; ".join(problem.message for problem in plugin.problems)
        message = f"The plugin {one.plugin} cannot be used ({reasons}); correct it."
        yield document.problem(one.name_at, message)
        return
    schema = plugin.manifest.config_schema
    hidden = {path[0] for path in secret_paths(schema)}
    for name in sorted(hidden & set(one.config)):
        if not is_reference(one.config[name]):
            yield document.problem(one.place_of(f"/{name}"), _NOT_HERE)
    elsewhere = {name for name, value in one.config.items() if is_reference(value)}
    plain = {name: one.config[name] for name in set(one.config) - elsewhere - hidden}
    required = schema.get("required")
    wanted = (
        [each for each in required if each not in one.config or each in plain]
        if isinstance(required, list)
        else []
    )
    for problem in find_problems({**_partial(schema), "required": wanted}, plain):
        yield document.problem(one.place_of(problem.field), problem.message)


def _need_problems(
    plugin: PluginDescription,
    chosen: set[str],
    installed: Sequence[str],
    index: int,
    document: Document,
) -> Problems:
    for needed in dependencies_of(plugin):
        name = f"{needed.kind}/{needed.name}"
        if name not in chosen and name in installed:
            yield document.problem(
                f"/spec/plugins/{index}",
                f"{shown(plugin.key)} needs {name}, which is not declared; add it to plugins.",
            )


def _config_problems(
    use: PluginUse, here: str, found: Sequence[PluginDescription], document: Document
) -> Problems:
    if not use.config:
        return
    if "*" in use.name:
        message = "A config is for one plugin; name that instead of a pattern."
        yield document.problem(f"{here}/config", message)
        return
    for plugin in found:
        if plugin.manifest is None:
            continue
        schema = plugin.manifest.config_schema
        for path in secret_paths(schema):
            if path[0] in use.config and not is_reference(use.config[path[0]]):
                yield document.problem(f"{here}/config{pointer(path)}", _NOT_HERE)
            elif path[0] in use.config and plugin.kind.value in PER_RESOURCE:
                yield document.problem(
                    f"{here}/config{pointer(path)}",
                    "A secret is no default for everybody; remove it, and give it to each "
                    "resource that uses the plugin.",
                )
        plain = {name: value for name, value in use.config.items() if not is_reference(value)}
        for problem in find_problems(_partial(schema), plain):
            yield document.problem(f"{here}/config{problem.field}", problem.message)


def _partial(schema: JsonObject) -> JsonObject:
    """Return the schema of some of its properties: what is missing comes from elsewhere."""
    properties = {
        name: described
        for name, described in properties_of(schema).items()
        if not is_secret(described)
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "$defs": schema.get("$defs", {}),
    }
