"""A webhook receiver as a process of its own: ``GET /`` tells what arrived.

Run with a port. Its CPU is nobody's: neither ours nor Alertmanager's.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_lock = threading.Lock()
_seen: dict[str, int] = {"notifications": 0, "alerts": 0}


class Handler(BaseHTTPRequestHandler):
    """Counts notifications and the alerts they tell about, those left out of the body too."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Count one notification."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with _lock:
            _seen["notifications"] += 1
            _seen["alerts"] += len(body["alerts"]) + body.get("truncatedAlerts", 0)
        self._answer({})

    def do_GET(self) -> None:
        """Tell the counts."""
        with _lock:
            self._answer(_seen)

    def _answer(self, document: dict[str, int]) -> None:
        text = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the inherited name
        """Stay silent."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
