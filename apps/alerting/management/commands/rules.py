"""``detectviz rules test|backtest|backfill|export``: rules as files, tried, and over the past."""

import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import Progress, TaskID

from apps.alerting.models import RuleGroup
from apps.alerting.selectors import rulegroup_queryset
from apps.alerting.services.backfills import (
    Backfill,
    backfill_json,
    backfill_record,
    rules_backfill,
)
from apps.alerting.services.backtest_requests import DEFAULT_RANGE, backtest_of
from apps.alerting.services.backtests import Backtest, backtest_json
from apps.alerting.services.groups import plan_of
from apps.alerting.services.plans import GroupPlan
from apps.alerting.services.rule_files import (
    manifests_to_rule_file,
    rule_file_losses,
    rulegroup_manifest,
)
from apps.alerting.services.rule_tests import (
    RuleTestError,
    RuleTestReport,
    rule_groups_read,
    rule_tests_run,
)
from apps.alerting.services.schedule import slot_offset_ms
from apps.orgs.models import Org
from apps.orgs.selectors import org_get
from detectviz.cli.base import DEFAULT_ORG
from detectviz.clock import utc_now
from detectviz.contracts.durations import DurationError, format_duration, parse_duration_ms
from detectviz.resources.errors import InvalidFieldsError, NotFoundError
from detectviz.resources.yaml import dump_documents
from detectviz.tsdb.interface import StoreError

_INTERVAL_MS = 60_000  # of groups that give none, as in Prometheus


class Command(BaseCommand):
    """Test, backtest and backfill rules; exit status 1 when something fails or can't be read."""

    help = "Test rules (promtool's files), run them over the past, fill in recorded series."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the actions and their options."""
        actions = parser.add_subparsers(dest="action", required=True)
        test = actions.add_parser("test", help="run unit-test files")
        test.add_argument("files", nargs="+", metavar="FILE", type=Path)
        backtest = actions.add_parser("backtest", help="when an alert would have fired")
        backtest.add_argument("--expr", help="the expression of a rule that is not stored")
        backtest.add_argument("--for", dest="for_", default="0s", metavar="DURATION")
        backtest.add_argument("--keep-firing-for", default="0s", metavar="DURATION")
        backtest.add_argument("--group", help="the group of a stored rule")
        backtest.add_argument("--rule", help="its name")
        backtest.add_argument("--range", default=DEFAULT_RANGE, metavar="DURATION")
        backtest.add_argument("--interval", default="", metavar="DURATION")
        backfill = actions.add_parser("backfill", help="write what would have been recorded")
        backfill.add_argument("source", metavar="FILE|GROUP")
        backfill.add_argument("--start", required=True, help="a time, or how long ago (2d)")
        backfill.add_argument("--end", default="0s", help="a time, or how long ago (default: now)")
        export = actions.add_parser("export", help="write groups as a Prometheus rule file")
        export.add_argument("groups", nargs="*", metavar="GROUP", help="default: all")
        for one in (backtest, backfill, export):
            one.add_argument("--org", default=DEFAULT_ORG, help="the org to work in")
        for one in (test, backtest, backfill):
            one.add_argument("-o", "--output", choices=("text", "json"), default="text")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do the action."""
        actions = {
            "test": self._test,
            "backtest": self._backtest,
            "backfill": self._backfill,
            "export": self._export,
        }
        try:
            actions[options["action"]](options)
        except (RuleTestError, DurationError, StoreError) as error:
            raise CommandError(str(error)) from error
        except InvalidFieldsError as error:
            told = [f"{name}: {' '.join(texts)}" for name, texts in error.fields.items()]
            raise CommandError("; ".join(told)) from error

    def _test(self, options: Mapping[str, Any]) -> None:
        reports = [rule_tests_run(path) for path in options["files"]]
        if options["output"] == "json":
            self.stdout.write(orjson.dumps([asdict(report) for report in reports]).decode())
        else:
            for report in reports:
                self._print_report(report)
        if not all(report.is_ok for report in reports):
            raise CommandError("Some rule tests failed.")

    def _print_report(self, report: RuleTestReport) -> None:
        failed = sum(bool(case.failures) for case in report.cases)
        passed = len(report.cases) - failed
        self.stdout.write(f"{report.file}: {passed} passed, {failed} failed")
        for case in report.cases:
            if case.failures:
                self.stdout.write(f"  FAILED {case.name}")
            for failure in case.failures:
                self.stdout.write(f"    {failure}")

    def _backtest(self, options: Mapping[str, Any]) -> None:
        org = _org(options)
        is_stored = bool(options["group"] and options["rule"])
        if is_stored == bool(options["expr"]):
            raise CommandError("Give --expr, or --group and --rule.")
        body = {"range": options["range"], "interval": options["interval"]}
        if is_stored:
            body["rule"] = options["rule"]
        else:
            body |= {"expr": options["expr"], "for": options["for_"]}
            body["keep_firing_for"] = options["keep_firing_for"]
        group = _group(org, options["group"]) if is_stored else None
        found = backtest_of(org=org, body=body, group=group, now=utc_now())
        if options["output"] == "json":
            self.stdout.write(orjson.dumps(backtest_json(found)).decode())
        else:
            self._print_backtest(found)

    def _print_backtest(self, found: Backtest) -> None:
        for firing in found.firings:
            labels = ", ".join(f'{name}="{text}"' for name, text in sorted(firing.labels.items()))
            until = firing.resolved_at.isoformat() if firing.resolved_at else "still firing"
            self.stdout.write(f"{firing.fired_at.isoformat()} {until} {firing.peak:g} {{{labels}}}")
        if found.errors:
            self.stdout.write(f"{found.errors} evaluations failed: {found.error}")
        times = "once" if found.total == 1 else f"{found.total} times"
        self.stdout.write(
            f"It would have fired {times} on {found.series} label sets "
            f"({format_duration(found.firing_s)} firing, {format_duration(found.pending_s)} "
            f"pending) in {found.slots} evaluations."
        )

    def _backfill(self, options: Mapping[str, Any]) -> None:
        org, now = _org(options), utc_now()
        start, end = _moment(options["start"], now), _moment(options["end"], now)
        reports = {}
        with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
            for plan, offset_ms in _plans(org, options["source"]):
                task = bar.add_task(plan.name)
                found = reports[plan.name] = rules_backfill(
                    tenant=org,
                    group=plan,
                    start=start,
                    end=min(end, now),
                    slot_offset_ms=offset_ms,
                    progress=partial(_advance, bar, task),
                )
                backfill_record(org_id=org.pk, name=plan.name, actor_id=None, found=found)
        if options["output"] == "json":
            answers = {name: backfill_json(found) for name, found in reports.items()}
            self.stdout.write(orjson.dumps(answers).decode())
        else:
            for name, found in reports.items():
                self._print_backfill(name, found)
        if any(found.errors or found.refused for found in reports.values()):
            raise CommandError("Not everything could be written.")

    def _export(self, options: Mapping[str, Any]) -> None:
        org = _org(options)
        wanted = [_group(org, name) for name in options["groups"]] or rulegroup_queryset(org)
        manifests = [rulegroup_manifest(group) for group in wanted]
        self.stdout.write(dump_documents([manifests_to_rule_file(manifests)]))
        for loss in rule_file_losses(manifests):
            self.stderr.write(f"Prometheus has no word for it: {loss}")

    def _print_backfill(self, name: str, found: Backfill) -> None:
        self.stdout.write(f"{name}: {found.stored} samples written, {found.present} were there")
        for reason, count in found.refused.items():
            self.stdout.write(f"  {count} refused by the store: {reason}")
        for rule, error in found.errors.items():
            self.stdout.write(f"  {rule}: {error}")


def _advance(bar: Progress, task: TaskID, done: int, total: int) -> None:
    bar.update(task, completed=done, total=total)


def _org(options: Mapping[str, Any]) -> Org:
    org = org_get(options["org"])
    if org is None:
        raise NotFoundError(f"There is no org {options['org']!r}.")
    return org


def _group(org: Org, name: str) -> RuleGroup:
    group = rulegroup_queryset(org).filter(name=name).first()
    if group is None:
        raise NotFoundError(f"There is no rule group {name!r}.")
    return group


def _moment(text: str, now: datetime) -> datetime:
    """Read a time (ISO 8601, UTC if it says nothing) or how long ago."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return now - timedelta(milliseconds=parse_duration_ms(text))
    return moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)


def _plans(org: Org, source: str) -> Sequence[tuple[GroupPlan, int]]:
    """Return the groups of a rule file, else the stored group of this name, with their slots."""
    path = Path(source)
    if path.is_file():
        return [
            (plan if plan.interval_ms else replace(plan, interval_ms=_INTERVAL_MS), 0)
            for plan in rule_groups_read(path)
        ]
    group = _group(org, source)
    return [(plan_of(group), slot_offset_ms(group.uid, group.interval_ms))]
