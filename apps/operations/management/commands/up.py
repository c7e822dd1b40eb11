"""`detectviz up`: everything in one command."""

import os
import socket
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

APPLICATIONS = ("all", "web", "worker", "beat", "sys")


class Command(BaseCommand):
    """Prepare the data directory and the database, then run this deployment's processes."""

    help = "Start Detectviz: prepare on first start, then run until Ctrl-C."
    requires_system_checks: Sequence[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options; each overrides its variable."""
        parser.add_argument("--host", help="address to listen on (DETECTVIZ_HOST)")
        parser.add_argument("--port", type=int, help="port to listen on (DETECTVIZ_PORT)")
        parser.add_argument("--app", choices=APPLICATIONS, default="all", help="what to run here")
        parser.add_argument("--demo", action="store_true", help="add demonstration data")

    def handle(self, *args: Any, **options: Any) -> None:
        """Re-run with the options as settings, or start."""
        if self._moved_into_environment(options):
            # Settings are read once, when the process starts: start again with the new ones.
            os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606 - ourselves
        self._require_possible(options["app"])
        from apps.operations.services.startup import startup_prepare, startup_run  # noqa: PLC0415 - imports the whole product, which a wrong option need not wait for

        say, application = self.stdout.write, options["app"]
        startup_prepare(application=application, with_demo=options["demo"], say=say)
        sys.exit(startup_run(application=application, say=say))

    def _moved_into_environment(self, options: dict[str, Any]) -> bool:
        wanted = {"DETECTVIZ_HOST": options["host"], "DETECTVIZ_PORT": options["port"]}
        given = {name: str(value) for name, value in wanted.items() if value is not None}
        changed = {
            name: value
            for name, value in given.items()
            if os.environ.get(name) != value  # noqa: TID251 - compared with what settings read
        }
        os.environ.update(changed)  # noqa: TID251 - the next process reads it
        return bool(changed)

    def _require_possible(self, application: str) -> None:
        if settings.IS_EMBEDDED and application != "all":
            raise CommandError(
                f"--app {application} needs processes that find each other: set "
                "DETECTVIZ_REDIS_URL (and DETECTVIZ_DATABASE_URL), or run --app all."
            )
        if application in {"all", "web"}:
            _require_free(settings.HOST, settings.PORT, "DETECTVIZ_PORT", "--port")
        if application != "web":
            _require_free(settings.HOST, settings.SYS_PORT, "DETECTVIZ_SYS_PORT", "")
        if not os.access(Path(settings.DATA_DIR), os.W_OK):
            raise CommandError(f"The data directory {settings.DATA_DIR} is not writable.")


def _require_free(host: str, port: int, variable: str, option: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            hint = f"{option} or {variable}" if option else variable
            raise CommandError(
                f"Cannot listen on {host}:{port} ({error.strerror}); choose another with {hint}."
            ) from error
