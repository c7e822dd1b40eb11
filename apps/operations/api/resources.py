"""The registration of ``plugins/v1 Pipeline``."""

from typing import Any, ClassVar

from django.db import models

from apps.extensions.services import secrets_masked
from apps.operations.api.serializers import PipelineSpec
from apps.operations.enums import RunTrigger
from apps.operations.errors import NotResumableError
from apps.operations.models import Pipeline
from apps.operations.selectors import run_latest, run_list
from apps.operations.services.pipelines import pipeline_delete, pipeline_write, stage_secrets
from apps.operations.services.runs import run_cancel, run_resume, run_start
from detectviz.clock import utc_now
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.resources.api.views import caller
from detectviz.resources.errors import NotFoundError
from detectviz.resources.registry import ResourceKind, Subresource, Write, registry

_MOST_RUNS = 100


def _run(request: Any, org: Any, pipeline: Pipeline) -> JsonObject:
    run = run_start(
        pipeline=pipeline, actor=caller(request), trigger=RunTrigger.MANUAL, now=utc_now()
    )
    return run.as_json()


def _runs(request: Any, org: Any, pipeline: Pipeline) -> JsonObject:
    return {"items": [run.as_json() for run in run_list(pipeline)[:_MOST_RUNS]]}


def _cancel(request: Any, org: Any, pipeline: Pipeline) -> JsonObject:
    latest = run_latest(pipeline)
    if latest is None:
        raise NotFoundError("The pipeline has not run yet.")
    return run_cancel(run=latest, actor=caller(request), now=utc_now()).as_json()


def _resume(request: Any, org: Any, pipeline: Pipeline) -> JsonObject:
    latest = run_latest(pipeline)
    if latest is None:
        raise NotResumableError("The pipeline has not run yet.")
    return run_resume(run=latest, actor=caller(request)).as_json()


class PipelineKind(ResourceKind[Pipeline]):
    """Importer, processors, exporters."""

    group = "plugins"
    kind = "Pipeline"
    plural = "pipelines"
    model = Pipeline
    permission = "pipelines"
    spec_serializer = PipelineSpec
    apply_order = 90
    field_selectors: ClassVar[dict[str, str]] = {
        "spec.title": "title",
        "spec.enabled": "enabled",
        "spec.schedule": "schedule",
    }
    subresources: ClassVar[tuple[Subresource, ...]] = (
        Subresource(
            name="run",
            method="POST",
            permission="execute",
            handler=_run,
            summary="Queue a run now.",
        ),
        Subresource(
            name="runs",
            method="GET",
            permission="read",
            handler=_runs,
            summary="The latest 100 runs, newest first.",
        ),
        Subresource(
            name="cancel",
            method="POST",
            permission="execute",
            handler=_cancel,
            summary="Cancel the latest run.",
        ),
        Subresource(
            name="resume",
            method="POST",
            permission="execute",
            handler=_resume,
            summary="Let the latest run, failed or cancelled, go on where it stopped.",
        ),
    )

    def queryset(self, org: models.Model) -> "models.QuerySet[Pipeline]":
        """Return the org's rows with what the envelope shows."""
        return super().queryset(org).select_related("owner")

    def to_spec(self, instance: Pipeline) -> dict[str, Any]:
        """Return the stages, secrets masked."""
        source = _shown(instance, instance.source, PluginKind.IMPORTER, "source")
        return {
            "title": instance.title,
            "source": source,
            "steps": instance.steps,
            "destinations": [
                _shown(instance, each, PluginKind.EXPORTER, f"destinations/{each['name']}")
                for each in instance.destinations
            ],
            "schedule": instance.schedule,
            "options": instance.options,
            "enabled": instance.enabled,
        }

    def to_status(self, instance: Pipeline) -> dict[str, Any]:
        """Return when it runs next and with whose rights."""
        following = instance.next_run_at
        owner = instance.owner.username if instance.owner else ""
        return {
            "next_run_at": following.isoformat(timespec="seconds") if following else None,
            "owner": "(operator)" if instance.is_operators else owner,
        }

    def write(self, change: Write[Pipeline]) -> Pipeline:
        """Check every stage by its plugin's schema and store it."""
        return pipeline_write(
            org=change.org,
            actor=change.actor,
            name=change.name,
            spec=change.spec,
            instance=change.instance,
            now=utc_now(),
        )

    def remove(self, instance: Pipeline, *, actor: models.Model | None) -> None:
        """Delete with runs and files."""
        pipeline_delete(pipeline=instance)


def _shown(pipeline: Pipeline, stage: dict[str, Any], kind: PluginKind, key: str) -> dict[str, Any]:
    name = stage["importer" if kind is PluginKind.IMPORTER else "exporter"]
    secrets = stage_secrets(pipeline.secrets, key)
    return {**stage, "secrets": secrets_masked(kind=kind, name=name, secrets=secrets)}


registry.register(PipelineKind())
