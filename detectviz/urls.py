"""The URL map of the whole product."""

from csp.decorators import csp_update
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from detectviz.observability import views as observability
from detectviz.resources.api.urls import resource_urlpatterns

# Swagger UI writes style attributes; nothing else of ours does.
_docs = csp_update({"style-src": ["'unsafe-inline'"]})(
    SpectacularSwaggerSplitView.as_view(url_name="schema", http_method_names=["get", "head"])
)

urlpatterns: list[URLPattern | URLResolver] = [
    # Doors first: programs come through them hundreds of times a second.
    path("orgs/", include("apps.series.api.ingest.urls")),
    path("orgs/", include("apps.series.api.queries.urls")),
    path("orgs/", include("apps.monitors.api.urls")),
    path("orgs/", include("apps.datasources.api.grafana.urls")),
    path("orgs/", include("apps.monitors.api.prometheus.urls")),
    path("orgs/", include("apps.alerting.api.prometheus.urls")),
    path("", include("apps.oncall.api.urls")),
    path("orgs/", include("apps.notifications.api.alertmanager.urls")),
    path("orgs/", include("apps.notifications.api.watchdog.urls")),
    path("healthz", observability.healthz),
    path("readyz", observability.readyz),
    path("metrics", observability.metrics),
    path("admin/", admin.site.urls),
    path("apis/schema", SpectacularAPIView.as_view(), name="schema"),
    path("apis/docs", _docs, name="docs"),
    path("apis/core/v1/", include("apps.accounts.api.urls")),
    path("apis/core/v1/", include("apps.audit.api.urls")),
    path("apis/core/v1/", include("apps.operations.api.events.urls")),
    path("apis/", include("apps.extensions.api.urls")),
    path("apis/datasources/v1/", include("apps.datasources.api.urls")),
    path("apis/datasources/v1/", include("apps.datasources.api.queries.urls")),
    path("apis/notifications/v1/", include("apps.notifications.api.urls")),
    path("apis/alerting/v1/", include("apps.notifications.api.suppression.urls")),
    path("apis/oncall/v1/", include("apps.oncall.api.me.urls")),
    path("apis/plugins/v1/", include("apps.operations.api.urls")),
    path("apis/", include((resource_urlpatterns(), "apis"))),
    path("", include("apps.accounts.web.urls")),
    path("", include("apps.extensions.web.urls")),
    path("", include("apps.datasources.web.urls")),
    path("", include("apps.series.web.urls")),
    path("", include("apps.monitors.web.urls")),
    path("", include("apps.audit.web.urls")),
    path("", include("apps.alerting.web.urls")),
    path("", include("apps.notifications.web.urls")),
    path("", include("apps.oncall.web.urls")),
    path("", include("apps.operations.web.urls")),
]
