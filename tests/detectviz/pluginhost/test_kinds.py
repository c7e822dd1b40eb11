"""Every kind has a contract and a conformance suite."""

from importlib import import_module

import pytest

from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.kinds import KINDS


def test_every_kind_has_its_row() -> None:
    assert set(KINDS) == set(PluginKind)


@pytest.mark.parametrize("kind", list(PluginKind))
def test_contract_and_suite_exist_and_the_verb_is_the_contracts(kind: PluginKind) -> None:
    row = KINDS[kind]
    module, _, protocol = row.contract.partition(":")
    assert callable(getattr(getattr(import_module(module), protocol), row.verb))
    import_module(row.suite)
