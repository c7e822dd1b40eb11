"""Pipelines and their runs as pages and programs ask for them."""

from typing import Any

from django.db import models

from apps.operations.models import Pipeline, PipelineRun
from detectviz.permissions.access import Access
from detectviz.resources.errors import NotFoundError


def pipeline_list(org: models.Model, *, access: Access) -> models.QuerySet[Pipeline]:
    """Return the pipelines somebody may read, by name, their latest run as ``latest_run``."""
    rows = access.filter(Pipeline.objects.for_org(org), "pipelines:read")
    runs = PipelineRun.objects.for_org(org).order_by("-created_at", "-id")
    latest = models.Prefetch("runs", runs, to_attr="known_runs")
    found: models.QuerySet[Pipeline] = rows.order_by("name").prefetch_related(latest)
    return found


def pipeline_get(org: models.Model, *, access: Access, name: str) -> Pipeline:
    """Return one pipeline; raise NotFoundError for one that may not be read.

    Raise ForbiddenError for somebody who may read none at all.
    """
    if not access.allows_somewhere("pipelines:read"):
        access.require("pipelines:read")
    rows = access.filter(Pipeline.objects.for_org(org), "pipelines:read")
    found: Pipeline | None = rows.select_related("org", "folder").filter(name=name).first()
    if found is None:
        raise NotFoundError
    return found


def pipeline_require(org: models.Model, *, name: str) -> Pipeline:
    """Return one pipeline for the machine's operator; raise NotFoundError."""
    found: Pipeline | None = (
        Pipeline.objects.for_org(org).select_related("org").filter(name=name).first()
    )
    if found is None:
        raise NotFoundError(f"There is no pipeline {name!r} in the org {org}.")
    return found


def run_list(pipeline: Pipeline) -> models.QuerySet[PipelineRun]:
    """Return the runs of a pipeline, the latest first."""
    rows: models.QuerySet[PipelineRun] = PipelineRun.objects.for_org(pipeline.org_id)
    return rows.filter(pipeline=pipeline)


def run_get(pipeline: Pipeline, uid: str) -> PipelineRun:
    """Return one run; raise NotFoundError."""
    found = run_list(pipeline).filter(uid=uid).first()
    if found is None:
        raise NotFoundError("The pipeline has no such run.")
    return found


def run_latest(pipeline: Pipeline) -> PipelineRun | None:
    """Return the latest run, None before the first."""
    known: list[Any] | None = getattr(pipeline, "known_runs", None)
    if known is not None:
        return known[0] if known else None
    return run_list(pipeline).first()
