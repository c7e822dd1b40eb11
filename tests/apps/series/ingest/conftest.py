"""An org with a private store and a key that may push."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.accounts.models import User
from apps.orgs.models import Org
from apps.series.services import series_store_use
from detectviz.tsdb.embedded import EmbeddedStore
from tests.factories.accounts import make_api_key, make_full_org


@pytest.fixture(autouse=True)
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    """Give the process a private store."""
    opened = EmbeddedStore(tmp_path / "series.sqlite")
    series_store_use(opened)
    yield opened
    series_store_use(None)


@pytest.fixture
def org(db: None) -> Org:
    """Return the org that is pushed to."""
    return make_full_org("acme")


@pytest.fixture
def key(org: Org) -> str:
    """Return the token of a key that may do nothing but push."""
    token: str = make_api_key(org, User.objects.get(username="acme-admin"), "series:create").token
    return token
