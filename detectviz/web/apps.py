"""Django application of the page framework."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    """Template tags and the gathered menu."""

    name = "detectviz.web"
    label = "web"
