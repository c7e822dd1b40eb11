"""What was forwarded is found again on Debian's Alertmanager, and what was not is not."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from detectviz.contracts.notifier import Notifier
from detectviz.contracts.read_back import ReadsBack, Told
from detectviz.contracts.types import PluginKind
from detectviz.net.guard import EgressPolicy
from detectviz.net.http import SyncHttpClient
from detectviz.testing.notifiers import make_alert, make_notification, make_notifier_context
from detectviz.testing.plugins import built_in_plugins
from tests.conformance.alertmanager.theirs import alertmanager

NOBODY = {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}


@pytest.mark.services("prometheus-alertmanager")
def test_an_alert_is_found_by_all_its_labels(tmp_path: Path) -> None:
    notifier: Notifier = built_in_plugins().load(PluginKind.NOTIFIER, "alertmanager")
    now = datetime.now(UTC)
    hostile = make_alert(round="7", team='"café" \\ {x="y"}, z', empty="")
    told = make_notification(replace(hostile, starts_at=now))
    other = make_notification(make_alert(round="8", team="web"))
    http = SyncHttpClient(EgressPolicy(allow_private=True))
    with alertmanager(NOBODY, tmp_path) as port:
        context = make_notifier_context(
            "alertmanager",
            {"url": f"http://127.0.0.1:{port}"},
            {},
            http=http,
            now=lambda: datetime.now(UTC),
        )
        notifier.notify(told, context)
        reader = cast("ReadsBack", notifier)
        assert reader.read_back(Told(notification=told, external_id=""), context)
        assert not reader.read_back(Told(notification=other, external_id=""), context)
    http.close()
