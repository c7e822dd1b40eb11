"""The pipelines, one of them with its form, and one run of it."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from django.http import FileResponse, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.extensions.selectors import plugin_choices
from apps.operations.enums import RESUMABLE_STATES, RunTrigger
from apps.operations.models import Pipeline, PipelineRun
from apps.operations.selectors import pipeline_get, pipeline_list, run_get, run_latest, run_list
from apps.operations.services.downloads import file_answer
from apps.operations.services.outputs import OutputFile, output_list
from apps.operations.services.runs import run_cancel, run_resume, run_start
from apps.operations.web.forms import (
    FormStage,
    own_document,
    own_form,
    spec_of,
    stage_added,
    stages_chosen,
    stages_of,
    stages_submitted,
    submitted,
)
from apps.orgs.selectors import folder_list
from detectviz.clock import utc_now
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.description import PluginDescription
from detectviz.resources.services import resource_delete
from detectviz.web.forms import Errors, SchemaForm
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope, org_page
from detectviz.web.writes import form_save, kind_of

_EDIT = "operations/pipeline_edit.html"
_STAGE = "operations/partials/_pipeline_added.html"
_RUN = "operations/partials/_run.html"
_RUNS_SHOWN = 50


def pipeline_kind() -> Any:
    """Return the registered kind."""
    return kind_of("plugins/v1", "Pipeline")


@dataclass(frozen=True)
class PipelineListPage:
    """The pipelines somebody may read."""

    scope: OrgScope

    @cached_property
    def rows(self) -> list[tuple[Pipeline, PipelineRun | None]]:
        """Each with its latest run."""
        rows = pipeline_list(self.scope.org, access=self.scope.access)
        return [(row, run_latest(row)) for row in rows]

    @property
    def may_create(self) -> bool:
        """Return whether the user may add pipelines."""
        return self.scope.can("pipelines:create")


@dataclass(frozen=True)
class PipelinePluginsPage:
    """The plugins to choose from."""

    scope: OrgScope

    def _choices(self, kind: PluginKind) -> tuple[PluginDescription, ...]:
        return plugin_choices(kind, self.scope.org)

    @property
    def importers(self) -> tuple[PluginDescription, ...]:
        """What reads."""
        return self._choices(PluginKind.IMPORTER)

    @property
    def processors(self) -> tuple[PluginDescription, ...]:
        """What changes."""
        return self._choices(PluginKind.PROCESSOR)

    @property
    def exporters(self) -> tuple[PluginDescription, ...]:
        """What writes."""
        return self._choices(PluginKind.EXPORTER)


@dataclass(frozen=True, kw_only=True)
class PipelineFormPage:
    """The form: of a new pipeline, or of ``pipeline``."""

    scope: OrgScope
    stages: tuple[FormStage, ...]
    pipeline: Pipeline | None = None
    document: dict[str, Any] | None = None
    errors: Errors = field(default_factory=dict)

    @property
    def form(self) -> SchemaForm:
        """The pipeline's own fields."""
        row = self.pipeline
        stored = own_document(row, pipeline_kind().to_spec(row)) if row else {}
        document = stored if self.document is None else self.document
        return own_form(document, self.errors, self.folders, is_new=row is None)

    @cached_property
    def folders(self) -> tuple[str, ...]:
        """The folders to choose from."""
        return tuple(folder.name for folder in folder_list(self.scope.org))

    @property
    def parts(self) -> "list[StagesPart]":
        """The stages in their order: the importer, then the lists that more can be added to."""
        processors = plugin_choices(PluginKind.PROCESSOR, self.scope.org)
        exporters = plugin_choices(PluginKind.EXPORTER, self.scope.org)
        return [
            StagesPart("importer", "", self._forms("importer"), ()),
            StagesPart("processor", "Another processor", self._forms("processor"), processors),
            StagesPart("exporter", "Another exporter", self._forms("exporter"), exporters),
        ]

    def _forms(self, word: str) -> list[tuple[FormStage, SchemaForm]]:
        mine = (stage for stage in self.stages if stage.word == word)
        return [(stage, stage.form(self.document, self.errors)) for stage in mine]


@dataclass(frozen=True)
class StagesPart:
    """The stages of one word with their forms, and what can be added to them."""

    word: str
    label: str
    stages: list[tuple[FormStage, SchemaForm]]
    choices: tuple[PluginDescription, ...]


@dataclass(frozen=True, kw_only=True)
class PipelineDetailPage:
    """One pipeline and its runs."""

    scope: OrgScope
    pipeline: Pipeline

    @cached_property
    def runs(self) -> list[PipelineRun]:
        """The latest runs."""
        return list(run_list(self.pipeline)[:_RUNS_SHOWN])

    @property
    def stages(self) -> list[tuple[str, str]]:
        """What each stage does and with which plugin."""
        row = self.pipeline
        return [
            ("Reads with", row.source["importer"]),
            *(("Changes with", each["processor"]) for each in row.steps),
            *(("Writes with", each["exporter"]) for each in row.destinations),
        ]

    @property
    def owner(self) -> str:
        """Whose rights its stages have."""
        if self.pipeline.is_operators:
            return "the operator of this installation"
        return self.pipeline.owner.username if self.pipeline.owner else "nobody any more"

    @property
    def may_run(self) -> bool:
        """Return whether the user may run it."""
        return self.scope.can("pipelines:execute", self.pipeline)

    @property
    def may_update(self) -> bool:
        """Return whether the user may edit it."""
        return self.scope.can("pipelines:update", self.pipeline)

    @property
    def may_delete(self) -> bool:
        """Return whether the user may delete it."""
        return self.scope.can("pipelines:delete", self.pipeline)


@dataclass(frozen=True, kw_only=True)
class RunPage:
    """One run."""

    scope: OrgScope
    pipeline: Pipeline
    run: PipelineRun

    @cached_property
    def files(self) -> list[OutputFile]:
        """What it wrote."""
        return output_list(tenant=self.scope.org.uid, run=self.run.uid)

    @property
    def may_cancel(self) -> bool:
        """Return whether the user may cancel it now."""
        return self.run.is_active and self.scope.can("pipelines:execute", self.pipeline)

    @property
    def may_resume(self) -> bool:
        """Return whether the user may let it go on."""
        is_over = self.run.state in RESUMABLE_STATES
        return is_over and self.scope.can("pipelines:execute", self.pipeline)


def one_of(scope: OrgScope, name: str, permission: str) -> Pipeline:
    """Return the pipeline, if the user holds ``permission`` on it."""
    row = pipeline_get(scope.org, access=scope.access, name=name)
    scope.access.require(permission, row)
    return row


@org_page("pipelines:read")
def pipeline_list_page(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the list."""
    page = PipelineListPage(scope)
    fragment = "operations/partials/_pipeline_table.html"
    return render_page(request, "operations/pipeline_list.html", page, fragment=fragment)


@org_page("pipelines:create")
def pipeline_plugins(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Offer the plugins."""
    return render_page(request, "operations/pipeline_plugins.html", PipelinePluginsPage(scope))


@org_page("pipelines:create")
def pipeline_create(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the form of a new pipeline and take it."""
    page = PipelineFormPage(scope=scope, stages=stages_chosen(request.GET))
    if request.method == "POST":
        return _save(request, page)
    return render_page(request, _EDIT, page)


@org_page("pipelines:read")
def pipeline_stage(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the fields of a further processor or exporter, for a form to take in."""
    stage = stage_added(request.GET)
    return render_page(request, _STAGE, {"stage": stage, "form": stage.form(None, {})})


@org_page("pipelines:update")
def pipeline_edit(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show the form of a stored pipeline and take it."""
    row = one_of(scope, name, "pipelines:update")
    page = PipelineFormPage(
        scope=scope, stages=stages_of(pipeline_kind().to_spec(row)), pipeline=row
    )
    if request.method == "POST":
        return _save(request, page)
    return render_page(request, _EDIT, page)


@org_page("pipelines:read")
def pipeline_detail(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show one pipeline, or for HTMX its runs."""
    page = PipelineDetailPage(scope=scope, pipeline=one_of(scope, name, "pipelines:read"))
    fragment = "operations/partials/_run_table.html"
    return render_page(request, "operations/pipeline_detail.html", page, fragment=fragment)


@require_POST
@org_page("pipelines:execute")
def pipeline_run(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Queue a run and lead to it."""
    row = one_of(scope, name, "pipelines:execute")
    run = run_start(pipeline=row, actor=scope.user, trigger=RunTrigger.MANUAL, now=utc_now())
    return go_to(request, _run_address(scope, name, run.uid))


@require_POST
@org_page("pipelines:delete")
def pipeline_delete_page(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Delete one pipeline."""
    row = one_of(scope, name, "pipelines:delete")
    resource_delete(pipeline_kind(), org=scope.org, actor=scope.user, name=row.name)
    target = reverse("operations:pipeline-list", args=[scope.org.name])
    return go_to(request, target, said=f"{name} is deleted.")


@org_page("pipelines:read")
def run_detail(request: PageRequest, scope: OrgScope, *, name: str, uid: str) -> HttpResponse:
    """Show one run, or for HTMX what changes while it runs."""
    row = one_of(scope, name, "pipelines:read")
    page = RunPage(scope=scope, pipeline=row, run=run_get(row, uid))
    return render_page(request, "operations/run_detail.html", page, fragment=_RUN)


@require_POST
@org_page("pipelines:execute")
def run_cancel_page(request: PageRequest, scope: OrgScope, *, name: str, uid: str) -> HttpResponse:
    """Cancel one run."""
    row = one_of(scope, name, "pipelines:execute")
    run_cancel(run=run_get(row, uid), actor=scope.user, now=utc_now())
    return go_to(request, _run_address(scope, name, uid))


@require_POST
@org_page("pipelines:execute")
def run_resume_page(request: PageRequest, scope: OrgScope, *, name: str, uid: str) -> HttpResponse:
    """Let one run go on."""
    row = one_of(scope, name, "pipelines:execute")
    run_resume(run=run_get(row, uid), actor=scope.user)
    return go_to(request, _run_address(scope, name, uid))


@org_page("pipelines:read")
def run_file(
    request: PageRequest, scope: OrgScope, *, name: str, uid: str, file: str
) -> FileResponse:
    """Send a file that a run made."""
    row = one_of(scope, name, "pipelines:read")
    return file_answer(scope.org, run_get(row, uid), file)


def _save(request: PageRequest, page: PipelineFormPage) -> HttpResponse:
    scope, row = page.scope, page.pipeline
    page = replace(page, stages=stages_submitted(request.POST.getlist("stage"), page.stages))
    document = submitted(page.stages, page.folders, request.POST)
    _require_place(scope, row, document.get("folder", ""))
    name = row.name if row else document.get("name", "")
    version = request.POST.get("resource_version", "")
    errors = form_save(
        scope,
        pipeline_kind(),
        mode="update" if row else "create",
        name=name,
        spec=spec_of(page.stages, document),
        labels=document.get("labels", {}),
        folder=document.get("folder", ""),
        resource_version=int(version) if version.isdecimal() else None,
    )
    if errors:
        return render_page(
            request, _EDIT, replace(page, document=document, errors=errors), status=422
        )
    target = reverse("operations:pipeline-detail", args=[scope.org.name, name])
    return go_to(request, target, said=f"{name} is saved.")


def _require_place(scope: OrgScope, row: Pipeline | None, folder: str) -> None:
    """Creating in a folder, and moving into one, needs the permission there."""
    place = folder_list(scope.org).filter(name=folder).first() if folder else None
    if row is None or place is not None:
        scope.access.require("pipelines:update" if row else "pipelines:create", place)


def _run_address(scope: OrgScope, name: str, uid: str) -> str:
    return reverse("operations:run-detail", args=[scope.org.name, name, uid])
