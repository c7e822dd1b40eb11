"""Append numbered batches to a remote store and print each number once it is acknowledged.

append_remote.py DATA_DIR URL WRITER FIRST COUNT START_MS: batch n gives ten series of this writer
the value n at n seconds after the start. The process sends as well, if it is its turn.
"""

import sys
from pathlib import Path

from detectviz.tsdb.interface import Sample
from detectviz.tsdb.opening import open_store
from detectviz.tsdb.sending.store import RemoteStore

SERIES = 10


def main(arguments: list[str]) -> None:
    folder, url, writer = arguments[:3]
    first, count, start_ms = (int(word) for word in arguments[3:6])
    store = open_store(url, data_dir=Path(folder))
    if not isinstance(store, RemoteStore):
        raise SystemExit("not a remote store")
    store.start_sending()
    for number in range(first, first + count):
        moment = start_ms + number * 1000
        report = store.append(
            "acme",
            [
                Sample({"__name__": "m", "writer": writer, "n": str(place)}, moment, float(number))
                for place in range(SERIES)
            ],
        )
        if report.rejected:
            raise SystemExit(report.rejected[0].reason)
        print(number, flush=True)  # noqa: T201 - the ledger


if __name__ == "__main__":
    main(sys.argv[1:])
