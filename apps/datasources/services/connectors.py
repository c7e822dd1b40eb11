"""The guarded ways out that a datasource's client library may take."""

from functools import cache
from pathlib import Path

from django.conf import settings

from detectviz.contracts.errors import PluginError
from detectviz.net.http import SyncHttpClient
from detectviz.runtime.egress import egress_policy

FILES_SETTING = "DETECTVIZ_DATASOURCE_FILES_DIR"


@cache
def http_client() -> SyncHttpClient:
    """Return the process's HTTP client for datasources."""
    return SyncHttpClient(egress_policy())


class GuardedConnector:
    """contracts' Connector for one org: addresses by the egress policy, files of its own folder."""

    def __init__(self, org: str) -> None:
        self._org = org

    def address(self, host: str, port: int) -> str:
        """Return an address of ``host`` that may be connected to."""
        return http_client().allowed_address(host, port)

    def file(self, path: str) -> str:
        """Return the real path of a file in the org's folder, links followed."""
        folder = (Path(settings.DATASOURCE_FILES_DIR) / self._org).resolve()
        try:
            real = (folder / path).resolve()
            is_file = real.is_file()
        except (OSError, ValueError, RuntimeError):
            is_file = False
        if not is_file or not real.is_relative_to(folder):
            raise PluginError(
                f"There is no file {path!r} in the folder {self._org} below {FILES_SETTING}; the "
                "operator of this installation puts files there that datasources may read.",
                permanent=True,
            )
        return str(real)
