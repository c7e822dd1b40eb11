"""The maker of monitors that scrape."""

import pytest

from detectviz.contracts.network import Network
from tests.plugins.collectors.prometheus.scrapes import Maker


@pytest.fixture
def make(network: Network) -> Maker:
    return Maker(network)
