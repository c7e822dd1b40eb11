"""`detectviz validate`: whether a composition is one that could be run."""

import sys
from argparse import ArgumentParser
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError

from apps.operations.services.compositions import composition_check
from detectviz.composition.problems import CompositionError


class Command(BaseCommand):
    """Check a composition: its form, what its parts say of each other, the plugins it names."""

    help = "Check a composition and say what to put right, with file and line."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add file or name, and the output."""
        parser.add_argument("file", nargs="?", help="composition.yaml, or a folder that has one")
        parser.add_argument("--composition", help="a built-in composition, or a file")
        parser.add_argument("-o", "--output", choices=("text", "json"), default="text")

    def handle(self, *args: Any, **options: Any) -> None:
        """Check; exit status 1 when something is to be put right."""
        reference = options["file"] or options["composition"]
        if not reference or (options["file"] and options["composition"]):
            raise CommandError("Give one file, or --composition NAME.", returncode=2)
        try:
            composition = composition_check(reference=reference)
        except CompositionError as error:
            self._refuse(error, options["output"])
        else:
            if options["output"] == "json":
                self.stdout.write(orjson.dumps({"valid": True, "problems": []}).decode())
            else:
                names = ", ".join(composition.applications)
                self.stdout.write(f"{composition.name} is valid: it runs {names}.")

    def _refuse(self, error: CompositionError, output: str) -> None:
        if output == "json":
            problems = [
                {
                    "file": problem.path,
                    "line": problem.line,
                    "path": problem.pointer,
                    "message": problem.message,
                }
                for problem in error.problems
            ]
            self.stdout.write(orjson.dumps({"valid": False, "problems": problems}).decode())
        else:
            self.stderr.write(str(error))
        sys.exit(1)
