"""Rule groups, the alerts they raise and their history."""

from django.apps import AppConfig


class AlertingConfig(AppConfig):
    """Evaluates PromQL rules and keeps the state of every alert."""

    name = "apps.alerting"
