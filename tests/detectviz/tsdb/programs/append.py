"""Append numbered batches and print each number once it is stored.

append.py FILE WRITER FIRST COUNT [MAINTAIN_EVERY]: batch n gives series 0..49 of this writer the
value n at n seconds after the start of 2023.
"""

import sys
from pathlib import Path

from detectviz.tsdb.embedded import EmbeddedStore
from detectviz.tsdb.interface import Sample
from detectviz.tsdb.policy import TenantPolicy

START_MS = 1_672_531_200_000
SERIES = 50
KEEP_ALL = TenantPolicy(retention_s=None)


def main(path: str, writer: str, first: int, count: int, maintain_every: int) -> None:
    store = EmbeddedStore(Path(path), flush_after_s=0, policy=lambda _: KEEP_ALL)
    for number in range(first, first + count):
        moment = START_MS + number * 1000
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
        if maintain_every and number % maintain_every == 0:
            store.maintain(moment + 1)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *(int(word) for word in sys.argv[3:6]))
