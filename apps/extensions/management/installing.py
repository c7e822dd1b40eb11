"""`detectviz plugins search|install|update|remove|approve|withdraw`: for administrators."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from apps.extensions.selectors import plugin_get
from apps.extensions.services.approvals import plugin_approval_withdraw, plugin_approve
from apps.extensions.services.installation import (
    Installation,
    plugin_install,
    plugin_remove,
    releases_search,
    updates_find,
)
from detectviz.pluginhost.installing import installed_list, permissions_of
from detectviz.pluginhost.signing import SignatureError
from detectviz.pluginhost.versions import version_key
from detectviz.runtime.plugin_trust import plugins_root

COLUMNS = ("PLUGIN", "VERSION", "REGISTRY", "PERMISSIONS", "TITLE")
Lines = list[str]


def add_verbs(verbs: Any) -> None:
    """Add the verbs to the command's parser."""
    search = verbs.add_parser("search", help="what the registries have")
    search.add_argument("text", nargs="?", default="")
    install = verbs.add_parser("install", help="install a plugin from a registry or a bundle")
    install.add_argument("source", help="kind/name, kind/name@version, or the file of a bundle")
    install.add_argument("--sha256", default="", help="checksum the bundle must have")
    update = verbs.add_parser("update", help="install newer versions of installed plugins")
    update.add_argument("plugins", nargs="*", help="kind/name[@version]; all without any")
    for parser in (install, update):
        _add_consent(parser)
    remove = verbs.add_parser("remove", help="remove an installed plugin")
    remove.add_argument("plugin", help="kind/name")
    remove.add_argument("--force", action="store_true", help="also when others need it")
    approve = verbs.add_parser("approve", help="allow a plugin what it asks for")
    approve.add_argument("plugin", help="kind/name")
    withdraw = verbs.add_parser("withdraw", help="allow a plugin nothing any more")
    withdraw.add_argument("plugin", help="kind/name")


def _add_consent(parser: ArgumentParser) -> None:
    parser.add_argument("--approve", action="store_true", help="allow what it asks for")
    parser.add_argument(
        "--allow-downgrade",
        action="store_true",
        help="accept a version older than one that was here; audited",
    )


def rows_found(options: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return the rows of ``search``, newest version first."""
    try:
        found = releases_search(text=options["text"])
    except (SignatureError, ValueError) as error:
        raise CommandError(str(error)) from error
    found = tuple(sorted(found, key=lambda each: version_key(each.version), reverse=True))
    return [
        (each.plugin, each.version, each.registry, " ".join(each.permissions), each.title)
        for each in sorted(found, key=lambda each: each.plugin)
    ]


def run(verb: str, options: dict[str, Any]) -> Lines:
    """Run a verb and return the lines to print; raise CommandError with a sentence."""
    try:
        return VERBS[verb](options)
    except (SignatureError, ValueError) as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(f"{error.filename}: {error.strerror}.") from error


def _install(options: dict[str, Any]) -> Lines:
    return [_said(_installed(options["source"], options, sha256=options["sha256"]))]


def _update(options: dict[str, Any]) -> Lines:
    here = installed_list(plugins_root())
    if options["plugins"]:
        missing = [each for each in options["plugins"] if each.partition("@")[0] not in here]
        if missing:
            raise CommandError(f"{missing[0]} is not installed; see: detectviz plugins list.")
        wanted = options["plugins"]
    else:
        wanted = [f"{plugin}@{new}" for plugin, (_, new) in updates_find().items()]
    lines = [_said(_installed(each, options)) for each in wanted]
    return lines or ["Everything is as new as the registries have it."]


def _installed(source: str, options: dict[str, Any], *, sha256: str = "") -> Installation:
    return plugin_install(
        source=source,
        sha256=sha256,
        is_approved=options["approve"],
        is_downgrade_allowed=options["allow_downgrade"],
    )


def _said(done: Installation) -> str:
    instead = f" in place of {done.former}" if done.former else ""
    allowed = ", ".join(done.permissions) or "nothing"
    return f"{done.plugin} {done.version} is installed{instead} ({done.level}); allowed: {allowed}"


def _remove(options: dict[str, Any]) -> Lines:
    plugin_remove(plugin=options["plugin"], is_forced=options["force"])
    return [f"{options['plugin']} is removed"]


def _approve(options: dict[str, Any]) -> Lines:
    kind, _, name = options["plugin"].partition("/")
    found = plugin_get(kind, name)
    if found is None or found.manifest is None:
        raise CommandError(f"There is no plugin {options['plugin']!r}; see `plugins list`.")
    permissions = permissions_of(found.manifest.permissions)
    version = found.manifest.version
    plugin_approve(plugin=options["plugin"], permissions=permissions, version=version)
    return [f"{options['plugin']} may now use: {', '.join(sorted(permissions)) or 'nothing'}"]


def _withdraw(options: dict[str, Any]) -> Lines:
    if not plugin_approval_withdraw(plugin=options["plugin"]):
        raise CommandError(f"{options['plugin']} was allowed nothing.")
    return [f"{options['plugin']} may use nothing any more"]


VERBS = {
    "install": _install,
    "update": _update,
    "remove": _remove,
    "approve": _approve,
    "withdraw": _withdraw,
}
