"""Rules and alerts in Prometheus' API, below ``/orgs/``."""

from django.urls import path

from apps.alerting.api.prometheus.views import AlertsView, RulesView

app_name = "alerting_queries"
urlpatterns = [
    path("<str:org>/prometheus/api/v1/rules", RulesView.as_view(), name="rules"),
    path("<str:org>/prometheus/api/v1/alerts", AlertsView.as_view(), name="alerts"),
]
