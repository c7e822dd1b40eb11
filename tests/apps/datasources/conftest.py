"""A plugin to configure, and nothing remembered from another test."""

from collections.abc import Iterator

import pytest

from apps.datasources.selectors import resolution
from apps.datasources.services.instances import instance_pool
from apps.extensions.selectors import plugin_host_use
from tests.factories.datasources import shelf_host


@pytest.fixture(autouse=True)
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Make ``shelf`` the only plugin there is."""
    plugin_host_use(shelf_host(tmp_path_factory.mktemp("plugins")))
    resolution.memory_clear()
    yield
    plugin_host_use(None)
    instance_pool().close()
    resolution.memory_clear()
