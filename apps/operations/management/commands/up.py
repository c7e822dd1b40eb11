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

from apps.operations.services.compositions import composition_check
from apps.operations.services.startup import startup_prepare, startup_run
from detectviz.checks import sentence, settings_problems
from detectviz.composition.problems import CompositionError
from detectviz.runtime.applications import applications_parse
from detectviz.runtime.modules import ModuleError
from detectviz.runtime.pidfile import AlreadyRunningError


class Command(BaseCommand):
    """Prepare the data directory and the database, then run this deployment's processes."""

    help = "Start Detectviz: prepare on first start, then run until Ctrl-C."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options; host and port are read by the command line before settings are."""
        parser.add_argument("--host", help="address to listen on (DETECTVIZ_HOST)")
        parser.add_argument("--composition", help="what to run by (DETECTVIZ_COMPOSITION)")
        parser.add_argument("--pool", help="the pool of its workers (DETECTVIZ_POOL)")
        parser.add_argument("--port", type=int, help="port to listen on (DETECTVIZ_PORT)")
        parser.add_argument(
            "--app",
            default="all",
            help="what to run here: all, or web, worker, beat, sys by commas",
        )
        parser.add_argument(
            "--one-process",
            action="store_true",
            help="run all of it in this one process, which ends when a part of it fails",
        )
        parser.add_argument("--demo", action="store_true", help="add demonstration data")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prepare what is missing, then run."""
        self._require_settings()
        try:
            applications = applications_parse(options["app"])
        except ModuleError as error:
            raise CommandError(str(error), returncode=2) from error
        self._require_composed(applications)
        self._require_possible(applications)
        startup_prepare(applications=applications, with_demo=options["demo"], say=self._say)
        try:
            is_alone = options["one_process"] or settings.DEPLOYMENT.is_one_process
            status = startup_run(applications=applications, say=self._say, is_alone=is_alone)
        except AlreadyRunningError as error:
            raise CommandError(str(error)) from error
        sys.exit(status)

    def _say(self, text: str) -> None:
        """Print at once: what is waited for must be seen while it is waited for."""
        self.stdout.write(text)
        self.stdout.flush()

    def _require_settings(self) -> None:
        problems = settings_problems()
        for problem in problems:
            if not problem.is_serious():
                self.stderr.write(sentence(problem))
        serious = [sentence(problem) for problem in problems if problem.is_serious()]
        if serious:
            raise CommandError("\n".join(serious))

    def _require_composed(self, applications: Sequence[str]) -> None:
        """Demand that a composition that was chosen fits this installation and has these."""
        if not settings.COMPOSITION:
            return
        try:
            composition = composition_check(reference=settings.COMPOSITION)
        except CompositionError as error:
            raise CommandError(str(error)) from error
        for name in applications:
            if name != "all" and name not in composition.applications:
                known = ", ".join(composition.applications)
                raise CommandError(
                    f"The composition {composition.name} has no application {name}; declare it, "
                    f"or run one of {known}."
                )

    def _require_possible(self, applications: Sequence[str]) -> None:
        if settings.IS_EMBEDDED and applications != ("all",):
            raise CommandError(
                f"--app {','.join(applications)} needs processes that find each other: set "
                "DETECTVIZ_REDIS_URL (and DETECTVIZ_DATABASE_URL), or run --app all."
            )
        if {"all", "web"} & set(applications):
            _require_free(settings.HOST, settings.PORT, "DETECTVIZ_PORT", "--port")
        if set(applications) != {"web"}:
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
