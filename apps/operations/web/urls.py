"""Addresses of the pages."""

from django.urls import path

from apps.operations.web.views import events, modules
from apps.operations.web.views.overview import overview, system_health

app_name = "operations"
urlpatterns = [
    path("o/<slug:org>/", overview, name="overview"),
    path("o/<slug:org>/system", system_health, name="system-health"),
    path("o/<slug:org>/modules", modules.modules, name="modules"),
    path("o/<slug:org>/events", events.event_bus, name="event-bus"),
    path("o/<slug:org>/events/measure", events.event_bus_measure, name="event-bus-measure"),
    path("o/<slug:org>/events/dead/<slug:uid>", events.dead_letter, name="dead-letter"),
    path(
        "o/<slug:org>/events/dead/<slug:uid>/<slug:action>",
        events.dead_letter_settle,
        name="dead-letter-settle",
    ),
]
