"""`detectviz pipelines run|runs|cancel|resume`."""

import sys
import time
from argparse import ArgumentParser
from typing import Any, Final

import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from apps.operations.enums import RunState, RunTrigger
from apps.operations.models import Pipeline, PipelineRun
from apps.operations.selectors import pipeline_require, run_latest, run_list
from apps.operations.services.execution import run_execute
from apps.operations.services.runs import run_cancel, run_resume, run_start
from apps.orgs.selectors import org_get
from detectviz.cli.base import OrgCommand
from detectviz.clock import utc_now
from detectviz.resources.errors import NotFoundError

_LOOK_S: Final = 0.5
_SHOWN: Final = 20


class Command(OrgCommand):
    """Run pipelines and look at their runs."""

    help = "Run a pipeline, follow, cancel or resume its runs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the verbs."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        for name, words in (
            ("run", "start a run"),
            ("runs", "the latest runs"),
            ("cancel", "cancel the run that is under way"),
            ("resume", "let the latest run go on where it stopped"),
        ):
            verb = verbs.add_parser(name, help=words)
            super().add_arguments(verb)
            verb.add_argument("name")
            verb.add_argument("-o", "--output", choices=("table", "json"), default="table")
            if name in {"run", "resume"}:
                verb.add_argument("--detach", action="store_true", help="do not wait for its end")
                verb.add_argument(
                    "--here", action="store_true", help="work in this process, not in a worker"
                )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the verb."""
        org = org_get(options["org"])
        if org is None:
            raise NotFoundError(f"There is no org {options['org']!r}.")
        pipeline = pipeline_require(org, name=options["name"])
        if options["verb"] == "runs":
            self._print(list(run_list(pipeline)[:_SHOWN]), options["output"])
            return
        run = self._begun(pipeline, options["verb"])
        if options["verb"] != "cancel" and not options["detach"]:
            run = self._followed(run, is_here=options["here"])
        self._print([run], options["output"])
        if run.state == RunState.FAILED:
            self.stderr.write(run.reason)
            sys.exit(1)

    def _begun(self, pipeline: Pipeline, verb: str) -> PipelineRun:
        if verb == "run":
            now = utc_now()
            return run_start(pipeline=pipeline, actor=None, trigger=RunTrigger.MANUAL, now=now)
        latest = run_latest(pipeline)
        if latest is None:
            raise NotFoundError(f"{pipeline.name} has not run yet.")
        if verb == "cancel":
            return run_cancel(run=latest, actor=None, now=utc_now())
        return run_resume(run=latest, actor=None)

    def _followed(self, run: PipelineRun, *, is_here: bool) -> PipelineRun:
        """Wait for the end; Ctrl-C leaves a worker's run alone."""
        if is_here:
            run_execute(run_id=run.pk, clock=utc_now)
        console = Console(stderr=True)
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[counts]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        ) as progress:
            task = progress.add_task(run.state, total=None, counts="")
            while True:
                run.refresh_from_db()
                counts = f"{run.read} read, {run.written} written, {run.failed} wrong"
                progress.update(
                    task,
                    description=run.state,
                    completed=run.read,
                    total=run.total,
                    counts=counts,
                )
                if not run.is_active:
                    return run
                time.sleep(_LOOK_S)

    def _print(self, runs: list[PipelineRun], output: str) -> None:
        if output == "json":
            shown = [run.as_json(is_whole=True) for run in runs]
            self.stdout.write(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())
            return
        rows = [
            (
                run.uid,
                run.state,
                run.read,
                run.written,
                run.failed,
                f"{run.created_at:%Y-%m-%d %H:%M:%S}",
                run.reason,
            )
            for run in runs
        ]
        self.print_table(("RUN", "STATE", "READ", "WRITTEN", "WRONG", "STARTED", "REASON"), rows)
