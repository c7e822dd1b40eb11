"""The loud neighbour: floods one org's doors until its standard input ends; prints the answers.

``python -m tests.bench.neighbours_child PORT ORG KEY KIND CONNECTIONS``
"""

import itertools
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import urlencode

from detectviz.runtime.priority import priority_lower

SERIES_PER_PUSH = 1000
NICENESS = 19  # the neighbour is another machine, so to say
_NUMBERS = itertools.count()

Ask = Callable[[HTTPConnection, str, dict[str, str]], HTTPResponse]


def push(connection: HTTPConnection, org: str, headers: dict[str, str]) -> HTTPResponse:
    """Send series that nobody has seen."""
    names = itertools.islice(_NUMBERS, SERIES_PER_PUSH)
    text = "".join(f'bomb{{id="{os.getpid()}-{number}"}} 1\n' for number in names)
    path = f"/orgs/{org}/prometheus/api/v1/import/prometheus"
    connection.request("POST", path, text, {**headers, "Content-Type": "text/plain"})
    return connection.getresponse()


def queries(now_s: float) -> Iterator[dict[str, str]]:
    """Yield queries of death, for ever."""
    everything = '{__name__=~".+"}'
    words = "|".join(f"host-{number}.*x+y*" for number in range(1500))
    fine = {"start": str(now_s - 11_000), "end": str(now_s), "step": "1"}
    hours = {"start": str(now_s - 7200), "end": str(now_s), "step": "15"}
    yield from itertools.cycle(
        [
            {"query": f"quantile_over_time(0.9, {everything}[2h])", **hours},
            {"query": f'count({{instance=~"{words}"}})', **fine},
            {"query": f"{everything} * on () group_left () {everything}", **hours},
            {"query": f"sum by (instance) (rate({everything}[5m]))", **fine},
            {"query": "max_over_time(stddev_over_time(sensor_reading[10m])[1h:5s])", **hours},
            {"query": f"sort_desc(sum({everything}) by (instance, le, path, code))", **fine},
        ]
    )


def flood(address: tuple[str, int], org: str, key: str, kind: str, told: Counter[str]) -> None:
    """Ask without a pause."""
    headers = {"Authorization": f"Bearer {key}"}
    asked = queries(time.time())
    while True:
        connection = HTTPConnection(*address, timeout=120)
        try:
            while True:
                if kind == "bomb":
                    response = push(connection, org, headers)
                else:
                    form = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
                    question = next(asked)
                    path = f"/orgs/{org}/prometheus/api/v1/query_range"
                    connection.request("POST", path, urlencode(question), form)
                    response = connection.getresponse()
                response.read()
                told[str(response.status)] += 1
        except (OSError, HTTPException) as error:
            told[type(error).__name__] += 1
        finally:
            connection.close()


def main() -> None:
    """Flood until nobody wants it any more."""
    port, org, key, kind, connections = sys.argv[1:]
    priority_lower(NICENESS)
    told: Counter[str] = Counter()
    for _ in range(int(connections)):
        arguments = (("127.0.0.1", int(port)), org, key, kind, told)
        threading.Thread(target=flood, args=arguments, daemon=True).start()
    sys.stdin.read()
    sys.stdout.write(json.dumps(told))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
