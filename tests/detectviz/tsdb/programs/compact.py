"""compact.py FILE STOP: compact without pause until the file STOP exists."""

import sys
from pathlib import Path

from detectviz.tsdb.embedded import EmbeddedStore


def main(path: Path, stop: Path) -> None:
    store = EmbeddedStore(path, flush_after_s=0, retention_s=1e9)
    while not stop.exists():
        store.maintain(1_700_000_000_000)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
