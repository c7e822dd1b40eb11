"""Is this container alive? `healthcheck.py web` asks the web port, `healthcheck.py sys` the other.

Runs on the bare interpreter, without Django, so that asking costs some milliseconds.
"""

import os
import sys
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

TIMEOUT_S = 4.0


def main(arguments: list[str]) -> int:
    """Return 0 when ``/healthz`` answers 200."""
    application = arguments[0] if arguments else "web"
    environment = os.environ  # noqa: TID251 - the settings module would load all of Django
    if application == "web":
        port = environment.get("DETECTVIZ_PORT", "8080")
        # Django answers only to names it is told about.
        host = urlsplit(environment.get("DETECTVIZ_EXTERNAL_URL", "")).netloc
    else:
        port, host = environment.get("DETECTVIZ_SYS_PORT", "8081"), ""
    connection = HTTPConnection("127.0.0.1", int(port), timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/healthz", headers={"Host": host or f"127.0.0.1:{port}"})
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        print(f"{application}: {error}", file=sys.stderr)  # noqa: T201 - Docker keeps what it prints
        return 1
    if status != 200:  # noqa: PLR2004 - HTTP's own number
        print(f"{application}: /healthz answers {status}", file=sys.stderr)  # noqa: T201 - Docker keeps what it prints
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
