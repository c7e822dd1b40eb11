"""read.py FILE STOP: read until the file STOP exists; end with status 1 at the first oddity.

Every series must hold 0, 1, 2 … without a gap, and never fewer samples than before.
"""

import sys
from pathlib import Path

import numpy as np

from detectviz.tsdb.embedded import EmbeddedStore
from detectviz.tsdb.interface import Matcher, MatchOp


def main(path: Path, stop: Path) -> None:
    store = EmbeddedStore(path)
    everything = [Matcher("__name__", MatchOp.EQUAL, "m")]
    seen, rounds, ending = 0, 0, False
    while not ending:
        ending = stop.exists()
        found = store.select("acme", everything, 0, 2**51)
        for place in range(len(found)):
            values = found.values[found.offsets[place] : found.offsets[place + 1]]
            if not np.array_equal(values, np.arange(len(values))):
                raise SystemExit(f"torn: {found.labels[place]} {values}")
        if len(found.values) < seen:
            raise SystemExit(f"{seen} samples became {len(found.values)}")
        seen, rounds = len(found.values), rounds + 1
    print(rounds, seen)  # noqa: T201 - the result


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
