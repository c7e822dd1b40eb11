"""`detectviz plugins …`: the verbs about what is here; the others stand beside."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings
from django.core.management.base import CommandError

from apps.extensions.management import installing, signing, writing
from apps.extensions.selectors import plugin_get, plugin_list
from apps.extensions.services.switches import plugin_switch, plugins_changed
from detectviz.cli.base import OrgCommand
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.checker import check_plugin
from detectviz.pluginhost.installing import permissions_of
from detectviz.resources.errors import DomainError
from detectviz.tenancy.selectors import org_get


class Command(OrgCommand):
    """Work with plugins."""

    help = "List, describe, switch, begin, check, sign, install, update and remove plugins."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the verbs."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        listing = verbs.add_parser("list", help="all plugins, broken ones with their reason")
        listing.add_argument("-o", "--output", choices=("table", "json"), default="table")
        info = verbs.add_parser("info", help="one plugin and its configuration schema")
        info.add_argument("name", help="name or kind/name")
        for verb in ("enable", "disable"):
            switch = verbs.add_parser(verb, help=f"{verb} a plugin, here or for one org")
            switch.add_argument("name", help="kind/name")
            switch.add_argument("--org", default="", help="for this org only")
        verbs.add_parser("reload", help="have every process look for plugins again")
        check = verbs.add_parser("check", help="validate plugin folders offline")
        check.add_argument("folders", nargs="*", type=Path)
        check.add_argument("--all", action="store_true", help="every built-in plugin")
        writing.add_verb(verbs)
        signing.add_verbs(verbs)
        installing.add_verbs(verbs)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the verb."""
        verb = options["verb"]
        if verb in signing.VERBS:
            self.stdout.write(signing.run(verb, options))
        elif verb in installing.VERBS:
            self.stdout.write("\n".join(installing.run(verb, options)))
        elif verb == "search":
            self.print_table(installing.COLUMNS, installing.rows_found(options))
        else:
            self._run(verb, options)

    def _run(self, verb: str, options: dict[str, Any]) -> None:
        verbs = {
            "list": self._list,
            "info": self._info,
            "check": self._check,
            "init": self._init,
            "enable": self._switch,
            "disable": self._switch,
            "reload": self._reload,
        }
        verbs[verb](options)

    def _list(self, options: dict[str, Any]) -> None:
        rows = [
            (
                plugin.kind.value,
                plugin.name,
                plugin.manifest.version if plugin.manifest else "",
                plugin.trust,
                plugin.status,
                "; ".join(problem.sentence for problem in plugin.problems),
            )
            for plugin in plugin_list()
        ]
        columns = ("KIND", "NAME", "VERSION", "TRUST", "STATUS", "REASON")
        if options["output"] == "json":
            keys = [column.lower() for column in columns]
            documents = [dict(zip(keys, row, strict=True)) for row in rows]
            self.stdout.write(orjson.dumps(documents, option=orjson.OPT_INDENT_2).decode())
        else:
            self.print_table(columns, rows)

    def _info(self, options: dict[str, Any]) -> None:
        kind, _, name = options["name"].rpartition("/")
        found = [
            plugin
            for plugin in plugin_list(PluginKind(kind) if kind else None)
            if plugin.name == name
        ]
        if not found:
            raise CommandError(f"There is no plugin {options['name']!r}; see `plugins list`.")
        for plugin in found:
            document: dict[str, Any] = {
                "kind": plugin.kind.value,
                "name": plugin.name,
                "status": plugin.status,
                "source": plugin.source,
                "trust": plugin.trust,
                "isolated": plugin.is_isolated,
                "problems": [problem.sentence for problem in plugin.problems],
            }
            if plugin.manifest is not None:
                document |= {
                    "title": plugin.manifest.title,
                    "description": plugin.manifest.description,
                    "version": plugin.manifest.version,
                    "category": plugin.manifest.category,
                    "permissions": sorted(permissions_of(plugin.manifest.permissions)),
                    "config_schema": plugin.manifest.config_schema,
                }
            self.print_documents([document], "yaml")

    def _switch(self, options: dict[str, Any]) -> None:
        kind, _, name = options["name"].partition("/")
        plugin = plugin_get(kind, name)
        if plugin is None:
            raise CommandError(f"There is no plugin {options['name']!r}; see `plugins list`.")
        org = org_get(name=options["org"]) if options["org"] else None
        if options["org"] and org is None:
            raise CommandError(f"There is no org {options['org']!r}.")
        is_enabled = options["verb"] == "enable"
        try:
            plugin_switch(plugin=plugin, is_enabled=is_enabled, org=org)
        except DomainError as error:
            raise CommandError(error.message) from error
        where = f"for {options['org']}" if org else "on this deployment"
        self.stdout.write(f"{options['name']} is {'on' if is_enabled else 'off'} {where}")

    def _reload(self, options: dict[str, Any]) -> None:
        plugins_changed()
        self.stdout.write("every process looks for plugins within seconds")

    def _check(self, options: dict[str, Any]) -> None:
        built_in = Path(settings.BASE_DIR) / "plugins"
        folders = options["folders"] or []
        if options["all"]:
            folders = sorted(path.parent for path in built_in.glob("*/*/plugin.yaml"))
        if not folders:
            raise CommandError("Name plugin folders, or --all.")
        tests = Path(settings.BASE_DIR) / "tests" / "plugins"
        problems = [
            problem
            for folder in folders
            for problem in check_plugin(folder, tests if _is_below(folder, built_in) else None)
        ]
        for problem in problems:
            self.stdout.write(problem.sentence)
        if problems:
            sys.exit(1)
        count = len(folders)
        self.stdout.write(f"{count} plugin{'s' if count > 1 else ''}, no problems")

    def _init(self, options: dict[str, Any]) -> None:
        self.stdout.write("\n".join(writing.run(options)))


def _is_below(folder: Path, place: Path) -> bool:
    return place.resolve() in folder.resolve().parents
