"""The engine as a module of a process."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from apps.monitors.models import MonitorSchedule
from apps.monitors.services.collection import CollectionModule, collection_host, collection_wake
from apps.monitors.services.schedule import claim_due
from detectviz.clock import utc_now
from detectviz.runtime import signals
from tests.factories.monitors import make_monitor
from tests.factories.orgs import make_org


@pytest.mark.usefixtures("shared_database", "store")
def test_the_module_frees_what_an_earlier_life_held_and_stops_cleanly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Receiver:
        def stop(self) -> None:
            """Nothing to stop."""

    def listen(target: str, handler: Callable[[Mapping[str, Any]], None]) -> Receiver:
        return Receiver()

    monkeypatch.setattr(signals, "listen", listen)
    org = make_org()
    make_monitor(org, location="elsewhere", now=utc_now())
    claim_due(owner="dead", now=utc_now(), location="elsewhere")
    module = CollectionModule()
    module.start()
    try:
        assert collection_host() is not None
        collection_wake()
    finally:
        module.stop(5)
    assert collection_host() is None
    assert MonitorSchedule.objects.for_org(org).get().lease_owner == ""
