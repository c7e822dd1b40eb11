"""Time series as the product's pages and programs ask for them."""

from django.apps import AppConfig


class SeriesConfig(AppConfig):
    """Holds the process's series store and what is known beside its samples."""

    name = "apps.series"
