"""Doing a run: stages from plugins, progress into SQL, and the lease kept."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from django.db import connection

from apps.datasources.services.calls import masked
from apps.datasources.services.connectors import GuardedConnector, http_client
from apps.datasources.services.instances import instance_pool
from apps.extensions.selectors import plugin_client, plugin_manifest
from apps.operations.enums import RunState
from apps.operations.models import PipelineRun
from apps.operations.services.outputs import RunOutputs
from apps.operations.services.pipelines import stage_secrets
from apps.operations.services.platform import OrgPlatform
from apps.operations.services.runs import run_claim, run_finish, run_store, source_digest
from apps.operations.services.telemetry import records_total
from detectviz.contracts.batches import Batch, WriteReport
from detectviz.contracts.errors import PluginError
from detectviz.contracts.exporter import ExporterContext
from detectviz.contracts.importer import ImporterContext
from detectviz.contracts.processor import ProcessorContext
from detectviz.contracts.records import RECORD_TYPES, Record, RecordError, Signal
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.pipeline.runs import Progress, Run, RunOptions
from detectviz.pipeline.stages import Sink, Source, Step
from detectviz.pluginhost.errors import PluginHostError, RequestFailedError
from detectviz.pluginhost.registry import Running
from detectviz.tenancy.context import org_scope

T = TypeVar("T")
Clock = Callable[[], datetime]

TIMEOUT_S: Final = 60.0
STORED_EVERY: Final = timedelta(seconds=1)
_ERRORS_KEPT: Final = 100
_STATES: Final = {each.value: each for each in RunState}

logger = logging.getLogger(__name__)


def run_execute(*, run_id: int, clock: Clock) -> bool:
    """Take a run and work on it to its end; return False when it is not free.

    A run whose worker was killed goes on at its cursor: what was under way then is written again.
    """
    run = run_claim(run_id=run_id, now=clock())
    if run is None:
        return False
    reason = _refusal(run)
    if run.is_cancel_wanted:
        run_finish(run=run, state=RunState.CANCELLED, reason="The run was cancelled.", now=clock())
    elif reason:
        run_finish(run=run, state=RunState.FAILED, reason=reason, now=clock())
    else:
        _work(run, clock)
    return True


def _refusal(run: PipelineRun) -> str:
    if not run.org.is_active:
        return "The organisation is switched off."
    if run.cursor and run.source_digest != source_digest(run.pipeline):
        return "The source was changed while the run was not finished; start a new run."
    return ""


def _work(run: PipelineRun, clock: Clock) -> None:
    keeper = _Keeper(run=run, clock=clock)
    try:
        engine = _engine(run, keeper, clock)
    except PluginHostError as error:
        run_finish(run=run, state=RunState.FAILED, reason=str(error), now=clock())
        return
    outcome = engine.run(keeper.look)
    keeper.store(outcome.progress)
    if not keeper.is_lost:
        reason = masked(outcome.reason, run.pipeline.secrets)
        run_finish(run=run, state=_STATES[outcome.state], reason=reason, now=clock())


def _engine(run: PipelineRun, keeper: "_Keeper", clock: Clock) -> Run:
    pipeline, options = run.pipeline, run.pipeline.options
    makers = _Stages(run=run, keeper=keeper, clock=clock)
    return Run(
        name=run.uid,
        source=makers.source(),
        steps=[makers.step(stage) for stage in pipeline.steps],
        sinks=[makers.sink(place, stage) for place, stage in enumerate(pipeline.destinations)],
        options=RunOptions(attempts=options["attempts"], most_errors=options["most_errors"]),
        cursor=run.cursor,
        is_cancelled=keeper.is_over,
    )


@dataclass(slots=True, kw_only=True)
class _Keeper:
    """Writes progress at most once a second and knows whether to stop.

    What the run had counted when it went on is added. ``reads`` says how much was read up to each
    cursor, so that ``settled`` counts only what will not be read again.
    """

    run: PipelineRun
    clock: Clock
    is_lost: bool = False
    is_cancel_wanted: bool = False
    reads: dict[str, tuple[int, int]] = field(default_factory=dict)
    _base: Mapping[str, int] = field(init=False)
    _stages: Sequence[Mapping[str, Any]] = field(init=False)
    _errors: list[dict[str, str]] = field(init=False)
    _settled: tuple[int, int] = (0, 0)
    _stored_at: datetime | None = None
    _counted: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._base = {"read": 0, "written": 0, "failed": 0} | self.run.settled
        self._stages = self.run.stages
        self._errors = list(self.run.errors)

    def is_over(self) -> bool:
        """Say whether to stop: cancelled, or somebody else has the run."""
        return self.is_lost or self.is_cancel_wanted

    def look(self, progress: Progress) -> None:
        """Write progress when it is time; the pipeline calls this in its own thread."""
        if self._stored_at is None or self.clock() - self._stored_at >= STORED_EVERY:
            self.store(progress)

    def store(self, progress: Progress) -> None:
        """Write progress now."""
        now = self._stored_at = self.clock()
        wanted = run_store(run=self.run, values=self._values(progress), now=now)
        self.is_lost = wanted is None
        self.is_cancel_wanted = bool(wanted)
        live = {"read": progress.read, "written": progress.written, "failed": progress.failed}
        for name, count in live.items():
            records_total.labels(name).inc(count - self._counted.get(name, 0))
        self._counted = live

    def _values(self, progress: Progress) -> dict[str, Any]:
        self._settled = self.reads.get(_key(progress.cursor), self._settled)
        read, unread = self._settled
        refused = sum(stage.failed for stage in progress.stages[1:])
        return {
            "read": self._base["read"] + progress.read,
            "written": self._base["written"] + progress.written,
            "failed": self._base["failed"] + progress.failed,
            "total": progress.total if progress.total is not None else self.run.total,
            "settled": {
                "read": self._base["read"] + read,
                "written": self._base["written"] + progress.written,
                "failed": self._base["failed"] + unread + refused,
            },
            "cursor": dict(progress.cursor),
            "stages": [self._stage(at, asdict(each)) for at, each in enumerate(progress.stages)],
            "errors": self._all_errors(progress.errors),
        }

    def _stage(self, at: int, counters: dict[str, Any]) -> dict[str, Any]:
        """Add what the stage had counted before; a pipeline that was changed begins anew."""
        before = self._stages[at] if at < len(self._stages) else {}
        if before.get("name") != counters["name"]:
            return counters
        return {
            name: value if name == "name" else round(value + before.get(name, 0), 3)
            for name, value in counters.items()
        }

    def _all_errors(self, errors: Sequence[RecordError]) -> list[dict[str, str]]:
        found = list(self._errors)
        for error in errors:
            said = {
                "place": error.place[:500],
                "message": masked(error.message, self.run.pipeline.secrets)[:1000],
                "sample": masked(error.sample, self.run.pipeline.secrets)[:500],
            }
            if said not in found:
                found.append(said)
        return found[:_ERRORS_KEPT]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stages:
    """Makes the stages of a run of plugins that are called through the host."""

    run: PipelineRun
    keeper: _Keeper
    clock: Clock

    def source(self) -> Source:
        """Return the importer as a source."""
        stage = self.run.pipeline.source
        name, calls = stage["importer"], self._calls(PluginKind.IMPORTER, stage["importer"])
        platform = self._platform(PluginKind.IMPORTER, name)

        def read(cursor: JsonObject) -> Iterator[Batch]:
            context = ImporterContext(
                config=stage["config"],
                secrets=stage_secrets(self.run.pipeline.secrets, "source"),
                timeout_s=TIMEOUT_S,
                batch_size=self.run.pipeline.options["batch_size"],
                cursor=cursor,
                http=http_client(),
                connector=GuardedConnector(str(self.run.org)),
                is_cancelled=self.keeper.is_over,
                now=self.clock,
                logger=logging.getLogger(f"detectviz.importer.{name}"),
                platform=platform,
            )
            with self._in_thread():
                batches = calls.call("read", lambda plugin: iter(plugin.read(context)))
                yield from self._counted(batches, calls)

        return Source(name=name, read=read)

    def _counted(self, batches: Iterator[Batch], calls: "_Calls") -> Iterator[Batch]:
        read = unread = 0
        while (batch := calls.call("read", lambda _: next(batches, None))) is not None:
            read += len(batch.records)
            unread += len(batch.errors)
            self.keeper.reads[_key(batch.cursor)] = (read, unread)
            yield batch

    def step(self, stage: Mapping[str, Any]) -> Step:
        """Return a processor as a step, with a memory of its own."""
        name, calls = stage["processor"], self._calls(PluginKind.PROCESSOR, stage["processor"])
        memory: dict[str, object] = {}
        types = tuple(RECORD_TYPES[each] for each in calls.signals)

        def process(records: Sequence[Record], is_last: bool) -> Sequence[Record]:  # noqa: FBT001 - the pipeline's port
            mine = [each for each in records if isinstance(each, types)]
            others = [each for each in records if not isinstance(each, types)]
            context = ProcessorContext(
                config=stage["config"],
                memory=memory,
                is_last=is_last,
                now=self.clock,
                logger=logging.getLogger(f"detectviz.processor.{name}"),
            )
            return [*others, *calls.call("process", lambda plugin: plugin.process(mine, context))]

        return Step(name=stage["name"], process=process)

    def sink(self, place: int, stage: Mapping[str, Any]) -> Sink:
        """Return an exporter as a sink with files of its own."""
        name, calls = stage["exporter"], self._calls(PluginKind.EXPORTER, stage["exporter"])
        pipeline = self.run.pipeline
        platform = self._platform(PluginKind.EXPORTER, name)
        prefix = f"{place + 1}-" if len(pipeline.destinations) > 1 else ""
        outputs = RunOutputs(tenant=self.run.org.uid, run=self.run.uid, prefix=prefix)
        identity = f"pipeline/{pipeline.uid}/{stage['name']}"
        kept = instance_pool().lease((self.run.org_id, identity, pipeline.resource_version))

        def write(records: Sequence[Record], batch_id: str) -> WriteReport:
            context = ExporterContext(
                config=stage["config"],
                secrets=stage_secrets(pipeline.secrets, f"destinations/{stage['name']}"),
                timeout_s=TIMEOUT_S,
                batch_id=batch_id,
                http=http_client(),
                connector=GuardedConnector(str(self.run.org)),
                instances=kept,
                outputs=outputs,
                now=self.clock,
                logger=logging.getLogger(f"detectviz.exporter.{name}"),
                platform=platform,
            )
            with self._in_thread():
                report: WriteReport = calls.call(
                    "write", lambda plugin: plugin.write(records, context)
                )
                return report

        return Sink(name=stage["name"], signals=calls.signals, write=write)

    def _calls(self, kind: PluginKind, name: str) -> "_Calls":
        running = plugin_client().running(kind, name, org=str(self.run.org))
        return _Calls(
            running=running,
            signals=frozenset(running.instance.signals),
            org=str(self.run.org),
            secrets=self.run.pipeline.secrets,
        )

    def _platform(self, kind: PluginKind, name: str) -> OrgPlatform | None:
        granted = plugin_manifest(kind, name).permissions.platform
        if not granted:
            return None
        return OrgPlatform(pipeline=self.run.pipeline, granted=frozenset(granted), clock=self.clock)

    @contextmanager
    def _in_thread(self) -> Iterator[None]:
        """Work for the org, and leave no connection of this thread open behind."""
        try:
            with org_scope(self.run.org):
                yield
        finally:
            connection.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Calls:
    """Calls of one plugin, their failures in the words the pipeline understands."""

    running: Running
    signals: frozenset[Signal]
    org: str
    secrets: Mapping[str, str]

    def call(self, operation: str, work: Callable[[Any], T]) -> T:
        """Call; raise PluginError."""
        try:
            return plugin_client().call_on(self.running, operation, work, org=self.org)
        except RequestFailedError as error:
            cause = error.__cause__
            if not isinstance(cause, PluginError):
                said = "The plugin failed in a way it should not; the server's log says how."
                raise PluginError(said, permanent=True) from error
            message = masked(cause.message, self.secrets)
            raise PluginError(message, permanent=cause.permanent) from error
        except PluginHostError as error:
            raise PluginError(str(error), permanent=True) from error


def _key(cursor: JsonObject) -> str:
    return repr(sorted(cursor.items(), key=lambda item: item[0]))
