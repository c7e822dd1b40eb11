"""`detectviz check run NAME | --type T --config JSON`, beside Django's own `check`."""

import sys
from typing import Any

import orjson
from django.core.management.base import CommandError, CommandParser
from django.core.management.commands.check import Command as DjangoCheck

from apps.monitors.selectors.monitors import monitor_get
from apps.monitors.services.monitors import MonitorDraft, draft_of
from apps.monitors.services.probes import Probe, monitor_run, monitor_test
from apps.orgs.models import Org
from apps.orgs.selectors import org_get
from detectviz.contracts.types import CheckState
from detectviz.resources.errors import NotFoundError
from detectviz.resources.registry import registry
from detectviz.resources.validation import validate_spec


class Command(DjangoCheck):
    """Django's system checks, and one check of a monitor with ``check run``."""

    help = "Check the whole project, or run one monitor's check now: check run NAME."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options of ``run`` beside Django's own."""
        super().add_arguments(parser)
        parser.add_argument("--org", default="default")
        parser.add_argument("--type", help="with `run`: a collector, instead of a monitor's name")
        parser.add_argument("--config", default="{}", help="with --type: its configuration, JSON")
        parser.add_argument("--timeout", default="10s", help="with --type: a duration such as 5s")

    def handle(self, *app_labels: Any, **options: Any) -> None:
        """Run one check if the first word is ``run``, else Django's."""
        if app_labels[:1] != ("run",):
            super().handle(*app_labels, **options)
            return
        probe = self._probe(app_labels[1:], options)
        self.stdout.write(orjson.dumps(probe.as_json(), option=orjson.OPT_INDENT_2).decode())
        if probe.state is CheckState.DOWN:
            sys.exit(1)

    def _probe(self, names: tuple[str, ...], options: dict[str, Any]) -> Probe:
        org = org_get(options["org"])
        if org is None:
            raise NotFoundError(f"There is no org {options['org']!r}.")
        if options["type"]:
            try:
                config = orjson.loads(options["config"])
            except orjson.JSONDecodeError as error:
                raise CommandError(f"--config is not valid JSON: {error}") from error
            return monitor_test(org=org, draft=self._draft(org, options, config))
        if not names:
            raise CommandError("Name a monitor of this org, or use --type and --config.")
        return monitor_run(monitor=monitor_get(org, names[0]))

    def _draft(self, org: Org, options: dict[str, Any], config: Any) -> MonitorDraft:
        """Validate as saving would, so that the errors are the same."""
        kind = registry.by_kind("monitoring/v1", "Monitor")
        if kind is None:
            raise CommandError("Monitors are not part of this deployment.")
        spec = {"type": options["type"], "config": config, "timeout": options["timeout"]}
        valid = validate_spec(kind, org=org, instance=None, spec=spec)
        return draft_of(valid, name="check", labels={}, folder=None)
