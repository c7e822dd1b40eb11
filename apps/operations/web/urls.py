"""Addresses of the pages."""

from django.urls import path

from apps.operations.web.views import events, modules, pipelines, transfers
from apps.operations.web.views.overview import overview, system_health

app_name = "operations"
_ONE = "o/<slug:org>/pipelines/p/<slug:name>"
_RUN = f"{_ONE}/runs/<slug:uid>"
urlpatterns = [
    path("o/<slug:org>/", overview, name="overview"),
    path("o/<slug:org>/system", system_health, name="system-health"),
    path("o/<slug:org>/modules", modules.modules, name="modules"),
    path("o/<slug:org>/transfer", transfers.transfer, name="transfer"),
    path(
        "o/<slug:org>/transfer/<slug:file_format>",
        transfers.transfer_export,
        name="transfer-export",
    ),
    path("o/<slug:org>/events", events.event_bus, name="event-bus"),
    path("o/<slug:org>/events/measure", events.event_bus_measure, name="event-bus-measure"),
    path("o/<slug:org>/events/dead/<slug:uid>", events.dead_letter, name="dead-letter"),
    path(
        "o/<slug:org>/events/dead/<slug:uid>/<slug:action>",
        events.dead_letter_settle,
        name="dead-letter-settle",
    ),
    path("o/<slug:org>/pipelines", pipelines.pipeline_list_page, name="pipeline-list"),
    path("o/<slug:org>/pipelines/new", pipelines.pipeline_plugins, name="pipeline-plugins"),
    path("o/<slug:org>/pipelines/new/form", pipelines.pipeline_create, name="pipeline-create"),
    path("o/<slug:org>/pipelines/new/stage", pipelines.pipeline_stage, name="pipeline-stage"),
    path(_ONE, pipelines.pipeline_detail, name="pipeline-detail"),
    path(f"{_ONE}/edit", pipelines.pipeline_edit, name="pipeline-edit"),
    path(f"{_ONE}/run", pipelines.pipeline_run, name="pipeline-run"),
    path(f"{_ONE}/delete", pipelines.pipeline_delete_page, name="pipeline-delete"),
    path(_RUN, pipelines.run_detail, name="run-detail"),
    path(f"{_RUN}/cancel", pipelines.run_cancel_page, name="run-cancel"),
    path(f"{_RUN}/resume", pipelines.run_resume_page, name="run-resume"),
    path(f"{_RUN}/files/<str:file>", pipelines.run_file, name="run-file"),
]
