"""What every test shares."""

from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, settings

from tests.scheduling import ProductsFirst

# A busy machine breaks no property. In CI (``CI=true``) the examples are also the same each time.
settings.register_profile(
    "patient",
    parent=settings.get_profile(settings.get_current_profile_name()),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("patient")

# Suites live outside of tests/; without this their failing asserts would show no values.
pytest.register_assert_rewrite("detectviz.testing")

from detectviz.testing.migrated import (  # noqa: E402 - registered before it is imported
    migrated_database,
)
from detectviz.testing.services import (  # noqa: E402 - registered before it is imported
    missing_programs,
    services_are_required,
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ProductsFirst | None:
    """Order the files that ``--dist loadfile`` hands to workers."""
    return ProductsFirst(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose servers are not installed; fail it where they must be."""
    for marker in item.iter_markers("services"):
        missing = missing_programs(marker.args)
        if missing and services_are_required():
            pytest.fail(f"install {', '.join(missing)}: this test must run here", pytrace=False)
        elif missing:
            pytest.skip(f"install {', '.join(missing)} to run this test")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    tmp_path_factory: pytest.TempPathFactory, django_db_modify_db_settings_parallel_suffix: None
) -> None:
    """Begin with a copy of a migrated database on SQLite: migrating takes some seconds."""
    if _is_sqlite():
        path = tmp_path_factory.mktemp("database") / "test.sqlite"
        migrated_database(path)
        connection.settings_dict["TEST"]["NAME"] = str(path)


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Have the copy kept as it is; what it lacks, which is nothing, would be migrated."""
    return _is_sqlite()


def _is_sqlite() -> bool:
    return connection.vendor == "sqlite"
