"""The collection module, failing while it runs once the file ``fail`` is in the data directory."""

from pathlib import Path

from django.conf import settings

from apps.monitors.services.collection import CollectionModule


class FailingCollection(CollectionModule):
    """Everything as in the product, but for the complaint."""

    def complaint(self) -> str:
        """Complain when told to."""
        is_told = (Path(settings.DATA_DIR) / "fail").exists()
        return "it was told to fail" if is_told else super().complaint()
