"""``detectviz rules test FILE``: unit tests of rules, in promtool's format."""

from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError

from apps.alerting.services.rule_tests import RuleTestError, RuleTestReport, rule_tests_run


class Command(BaseCommand):
    """Run rule tests; exit status 1 when one fails or a file can't be read."""

    help = "Test alerting and recording rules (promtool's unit-test files)."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add ``test FILE …``."""
        actions = parser.add_subparsers(dest="action", required=True)
        test = actions.add_parser("test", help="run unit-test files")
        test.add_argument("files", nargs="+", metavar="FILE", type=Path)
        test.add_argument("-o", "--output", choices=("text", "json"), default="text")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run every file, then tell."""
        try:
            reports = [rule_tests_run(path) for path in options["files"]]
        except RuleTestError as error:
            raise CommandError(str(error)) from error
        if options["output"] == "json":
            self.stdout.write(orjson.dumps([asdict(report) for report in reports]).decode())
        else:
            for report in reports:
                self._print(report)
        if not all(report.is_ok for report in reports):
            raise CommandError("Some rule tests failed.")

    def _print(self, report: RuleTestReport) -> None:
        failed = sum(bool(case.failures) for case in report.cases)
        passed = len(report.cases) - failed
        self.stdout.write(f"{report.file}: {passed} passed, {failed} failed")
        for case in report.cases:
            if case.failures:
                self.stdout.write(f"  FAILED {case.name}")
            for failure in case.failures:
                self.stdout.write(f"    {failure}")
