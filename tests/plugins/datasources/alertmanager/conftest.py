"""A private Alertmanager with alerts, one of them silenced."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from detectviz.contracts.network import HttpRequest
from detectviz.net.http import SyncHttpClient
from detectviz.testing.services import find_program, free_port, http_is_ready, run_server

ALERTS = (
    {"alertname": "Down", "severity": "page", "job": "a"},
    {"alertname": "Down", "severity": "page", "job": "b"},
    {"alertname": "Slow", "severity": "warn", "job": "a"},
    *({"alertname": "Full", "severity": "info", "job": "a", "disk": str(n)} for n in range(5)),
)


@pytest.fixture(scope="session")
def alertmanager_url(
    tmp_path_factory: pytest.TempPathFactory, client: SyncHttpClient
) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("alertmanager"), free_port()
    config = folder / "alertmanager.yml"
    config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    argv = [
        find_program("prometheus-alertmanager") or "prometheus-alertmanager",
        f"--config.file={config}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    url = f"http://127.0.0.1:{port}"
    with run_server(argv, ready=lambda: http_is_ready(port)):
        now = datetime.now(UTC)
        later = (now + timedelta(hours=1)).isoformat()
        matcher = {"name": "job", "value": "b", "isRegex": False, "isEqual": True}
        silence = {
            "matchers": [matcher],
            "startsAt": now.isoformat(),
            "endsAt": later,
            "createdBy": "me",
            "comment": "maintenance",
        }
        alerts = [{"labels": labels, "annotations": {"summary": "It is."}} for labels in ALERTS]
        for path, document in (("silences", silence), ("alerts", alerts)):
            answer = client.fetch(
                HttpRequest(
                    url=f"{url}/api/v2/{path}",
                    method="POST",
                    headers=[("Content-Type", "application/json")],
                    body=json.dumps(document).encode(),
                )
            )
            assert answer.status_code == 200, answer.body
        yield url
