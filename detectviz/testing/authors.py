"""The plugin for pytest that authors use: suites see the plugins of the folder being tested.

    # pytest.ini beside collectors/, notifiers/ …
    [pytest]
    addopts = --import-mode=importlib -p detectviz.testing.authors -p no:cacheprovider
    asyncio_mode = auto

Folders are laid out as ``<kind>/<name>/``. Without ``--plugin-folder`` it is the folder of
``pytest.ini``.
"""

from pathlib import Path

import pytest

from detectviz.pluginhost.kinds import KINDS
from detectviz.testing.plugins import plugin_folders_use

# Suites are no test modules; without this their failing asserts would show no values.
pytest.register_assert_rewrite(*(kind.suite for kind in KINDS.values()))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--plugin-folder``."""
    parser.addoption(
        "--plugin-folder",
        action="append",
        type=Path,
        default=[],
        help="folder laid out as <kind>/<name>/; may be given several times",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Let suites find the plugins, and tests import their modules as plugins.<kind>.<name>."""
    plugin_folders_use(*(config.getoption("plugin_folder") or [config.rootpath]))
