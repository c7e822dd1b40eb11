"""What every test shares."""

import pytest

# Suites live outside of tests/; without this their failing asserts would show no values.
pytest.register_assert_rewrite("detectviz.testing")

from detectviz.testing.services import (  # noqa: E402 - registered before it is imported
    missing_programs,
    services_are_required,
)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose servers are not installed; fail it where they must be."""
    for marker in item.iter_markers("services"):
        missing = missing_programs(marker.args)
        if missing and services_are_required():
            pytest.fail(f"install {', '.join(missing)}: this test must run here", pytrace=False)
        elif missing:
            pytest.skip(f"install {', '.join(missing)} to run this test")
