"""Making, changing and deleting pipelines."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db import models, transaction

from apps.extensions.selectors import plugin_client
from apps.extensions.services import (
    StoredConfiguration,
    configuration_check,
    manifest_require,
)
from apps.operations.models import Pipeline
from apps.operations.services.outputs import outputs_forget
from detectviz.contracts.records import Signal
from detectviz.contracts.schedules import ScheduleError, next_cron
from detectviz.contracts.types import PluginKind
from detectviz.observability.context import current_context
from detectviz.pluginhost.errors import PluginHostError
from detectviz.resources.errors import InvalidFieldsError

WORDS: Final = {
    PluginKind.IMPORTER: "importer",
    PluginKind.PROCESSOR: "processor",
    PluginKind.EXPORTER: "exporter",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlace:
    """One stage as written: its kind, its name among its like, and where it stands."""

    kind: PluginKind
    key: str  # prefix of its secrets
    path: str
    wanted: Mapping[str, Any]

    @property
    def word(self) -> str:
        """What names its plugin: importer, processor or exporter."""
        return WORDS[self.kind]


@dataclass(slots=True)
class _Checked:
    stages: dict[str, dict[str, Any]] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    signals: dict[str, frozenset[Signal]] = field(default_factory=dict)
    errors: dict[str, list[str]] = field(default_factory=dict)


def pipeline_write(
    *,
    org: models.Model,
    actor: models.Model | None,
    name: str,
    spec: Mapping[str, Any],
    instance: Pipeline | None,
    now: datetime,
) -> Pipeline:
    """Create or update a pipeline, whose owner becomes ``actor``; every wrong field is named."""
    pipeline = instance or Pipeline(org_id=org.pk, name=name)
    places = tuple(_places(spec))
    checked = _check(org, places, instance)
    checked.errors |= _schedule_errors(spec["schedule"], now)
    checked.errors = checked.errors or _signal_errors(places, checked.signals)
    if checked.errors:
        raise InvalidFieldsError(checked.errors)
    pipeline.title = spec["title"]
    pipeline.source = checked.stages["source"]
    pipeline.steps = [checked.stages[each.key] for each in places if each.word == "processor"]
    pipeline.destinations = [checked.stages[each.key] for each in places if each.word == "exporter"]
    pipeline.secrets = checked.secrets
    pipeline.options = dict(spec["options"])
    pipeline.enabled = spec["enabled"]
    pipeline.schedule = spec["schedule"]
    is_due = pipeline.enabled and pipeline.schedule
    pipeline.next_run_at = next_cron(pipeline.schedule, now) if is_due else None
    _own(pipeline, actor)
    pipeline.save()
    return pipeline


def pipeline_delete(*, pipeline: Pipeline) -> None:
    """Delete a pipeline with its runs and their files."""
    uids = tuple(pipeline.runs.values_list("uid", flat=True))
    tenant = pipeline.org.uid
    pipeline.delete()
    transaction.on_commit(lambda: outputs_forget(tenant=tenant, runs=uids), robust=True)


def stage_secrets(secrets: Mapping[str, str], key: str) -> dict[str, str]:
    """Return the secrets of one stage."""
    prefix = f"{key}/"
    return {
        name.removeprefix(prefix): value
        for name, value in secrets.items()
        if name.startswith(prefix)
    }


def _own(pipeline: Pipeline, actor: models.Model | None) -> None:
    caller = current_context().actor
    is_caller = actor is not None and caller.user_id == actor.pk
    pipeline.owner_id = actor.pk if actor else None
    pipeline.owner_scopes = list(caller.scopes) if is_caller and caller.scopes is not None else None
    pipeline.is_operators = actor is None


def _places(spec: Mapping[str, Any]) -> Iterator[StagePlace]:
    yield StagePlace(
        kind=PluginKind.IMPORTER, key="source", path="spec.source", wanted=spec["source"]
    )
    yield from _listed(PluginKind.PROCESSOR, "steps", spec["steps"])
    yield from _listed(PluginKind.EXPORTER, "destinations", spec["destinations"])


def _listed(
    kind: PluginKind, group: str, stages: Sequence[Mapping[str, Any]]
) -> Iterator[StagePlace]:
    """Name every stage of a list: as written, else after its plugin, numbered."""
    written = [stage["name"] for stage in stages if stage.get("name")]
    doubled = [name for name, count in Counter(written).items() if count > 1]
    if doubled:
        raise InvalidFieldsError(
            {f"spec.{group}": [f"Two are called {doubled[0]!r}; names must differ."]}
        )
    taken = set(written)
    for index, stage in enumerate(stages):
        name, number = stage.get("name", ""), 1
        while not name:
            candidate = stage[WORDS[kind]] + (f"-{number}" if number > 1 else "")
            name = "" if candidate in taken else candidate
            number += 1
        taken.add(name)
        yield StagePlace(
            kind=kind,
            key=f"{group}/{name}",
            path=f"spec.{group}[{index}]",
            wanted={**stage, "name": name},
        )


def _check(org: models.Model, places: Sequence[StagePlace], instance: Pipeline | None) -> _Checked:
    checked = _Checked()
    for place in places:
        try:
            _check_stage(org, place, instance, checked)
        except InvalidFieldsError as error:
            checked.errors |= error.fields
    return checked


def _check_stage(
    org: models.Model, place: StagePlace, instance: Pipeline | None, checked: _Checked
) -> None:
    stored = stored_stage(instance, place.key) if instance else None
    plugin = place.wanted[place.word]
    is_kept = stored is not None and stored[place.word] == plugin
    manifest = manifest_require(
        kind=place.kind,
        name=plugin,
        path=f"{place.path}.{place.word}",
        org=None if is_kept else org,
    )
    outcome = configuration_check(
        manifest=manifest,
        config=place.wanted["config"],
        secrets=place.wanted.get("secrets", {}),
        stored=StoredConfiguration(
            plugin=stored[place.word],
            config=stored["config"],
            secrets=stage_secrets(instance.secrets, place.key) if instance else {},
        )
        if stored
        else None,
        path=place.path,
    )
    named = {"name": place.wanted["name"]} if "name" in place.wanted else {}
    checked.stages[place.key] = {**named, place.word: manifest.name, "config": outcome.config}
    checked.secrets |= {f"{place.key}/{key}": value for key, value in outcome.secrets.items()}
    signals = _signals(place.kind, manifest.name, str(org))
    if signals is not None:
        checked.signals[place.key] = signals


def stored_stage(pipeline: Pipeline, key: str) -> Mapping[str, Any] | None:
    """Return the stage whose secrets have the prefix ``key``, None when there is none."""
    group, _, name = key.partition("/")
    if group == "source":
        source: Mapping[str, Any] = pipeline.source
        return source
    stages: Sequence[Mapping[str, Any]] = getattr(pipeline, group)
    return next((stage for stage in stages if stage["name"] == name), None)


def _signals(kind: PluginKind, name: str, org: str) -> frozenset[Signal] | None:
    """Return what a plugin deals in; None when it cannot be asked now, which the run will tell."""
    try:
        found = plugin_client().instance(kind, name, org=org).signals
    except (PluginHostError, AttributeError):
        return None
    return frozenset(found)


def _signal_errors(
    places: Sequence[StagePlace], signals: Mapping[str, frozenset[Signal]]
) -> dict[str, list[str]]:
    read = signals.get("source")
    if read is None:
        return {}
    errors = {}
    for place in places:
        taken = signals.get(place.key)
        if place.kind is PluginKind.EXPORTER and taken is not None and not taken & read:
            errors[f"{place.path}.{place.word}"] = [
                f"It takes {_words(taken)}, and the importer reads {_words(read)}."
            ]
    return errors


def _words(signals: frozenset[Signal]) -> str:
    return ", ".join(sorted(signals)) or "nothing"


def _schedule_errors(schedule: str, now: datetime) -> dict[str, list[str]]:
    if not schedule:
        return {}
    try:
        next_cron(schedule, now)
    except ScheduleError as error:
        return {"spec.schedule": [str(error)]}
    return {}
