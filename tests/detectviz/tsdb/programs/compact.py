"""compact.py FILE STOP: compact without pause until the file STOP exists."""

import sys
from pathlib import Path

from detectviz.tsdb.embedded import EmbeddedStore
from detectviz.tsdb.policy import TenantPolicy

KEEP_ALL = TenantPolicy(retention_s=None)


def main(path: Path, stop: Path) -> None:
    store = EmbeddedStore(path, flush_after_s=0, policy=lambda _: KEEP_ALL)
    while not stop.exists():
        store.maintain(1_700_000_000_000)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
