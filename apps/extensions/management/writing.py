"""`detectviz plugins init`: for authors. Needs no database."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.scaffold import ScaffoldError, plugin_write


def add_verb(verbs: Any) -> None:
    """Add the verb to the command's parser."""
    init: ArgumentParser = verbs.add_parser("init", help="write a new plugin that can be tested")
    init.add_argument("--kind", required=True, choices=[kind.value for kind in PluginKind])
    init.add_argument("--name", required=True, help="lower-case letters, digits and dashes")
    init.add_argument("--title", default="", help="what people read; from the name without it")
    init.add_argument(
        "--folder", type=Path, default=Path(), help="where <kind>/<name>/ goes; here without it"
    )


def run(options: dict[str, Any]) -> list[str]:
    """Write the plugin and return the lines to print; raise CommandError with a sentence."""
    try:
        place = plugin_write(
            kind=PluginKind(options["kind"]),
            name=options["name"],
            folder=options["folder"],
            title=options["title"],
        )
    except ScaffoldError as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(f"{error.filename}: {error.strerror}.") from error
    return [f"{place} is written. Next:", f"detectviz plugins check {place}", f"pytest {place}"]
