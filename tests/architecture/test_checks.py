"""Checks of ours and of Django's that must hold for the whole tree."""

from pathlib import Path

import pytest
from django.core.management import call_command

from detectviz.pluginhost.checker import check_plugin
from tests.architecture.sources import ROOT

PLUGINS = sorted(path.parent for path in (ROOT / "plugins").glob("*/*/plugin.yaml"))


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_built_in_plugin_passes_plugins_check(folder: Path) -> None:
    assert check_plugin(folder, ROOT / "tests" / "plugins") == ()


@pytest.mark.django_db
def test_every_model_change_has_its_migration() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
