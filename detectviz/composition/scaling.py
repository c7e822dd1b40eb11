"""Pools of workers: which queues each takes, and into how many shards its monitors are divided."""

from collections.abc import Iterator

from detectviz.composition.documents import Document
from detectviz.composition.model import QUEUES, Composition, Pool
from detectviz.composition.problems import CompositionProblem

Problems = Iterator[CompositionProblem]


def scaling_problems(composition: Composition, document: Document) -> Problems:
    """Yield what is wrong with the pools."""
    where = "/spec/scaling/pools"
    if not composition.pools:
        return
    if composition.broker.type == "memory":
        message = "Pools are processes of their own; choose the broker redis, or remove pools."
        yield document.problem(where, message)
    if "worker" not in composition.applications:
        message = "Pools divide the application worker, which is not declared; declare it."
        yield document.problem(where, message)
    names: set[str] = set()
    for index, pool in enumerate(composition.pools):
        here = f"{where}/{index}"
        if pool.name in names:
            yield document.problem(here, f"Two pools are called {pool.name}; rename one.")
        names.add(pool.name)
        yield from _shard_problems(pool, composition, here, document)
    taken = {queue for pool in composition.pools for queue in pool.queues}
    for queue in QUEUES:
        if queue not in taken:
            message = f"No pool takes the queue {queue}, so its work would wait for ever; add it."
            yield document.problem(where, message)


def _shard_problems(
    pool: Pool, composition: Composition, here: str, document: Document
) -> Problems:
    if not pool.shards:
        return
    if "collect" not in pool.queues:
        message = "Shards divide monitors, which only collect needs; remove shards."
        yield document.problem(f"{here}/shards", message)
    collecting = [one for one in composition.pools if "collect" in one.queues]
    if len(collecting) > 1:
        message = (
            f"Only one pool may collect where there are shards, and {len(collecting)} do; "
            "leave collect to one."
        )
        yield document.problem(f"{here}/shards", message)
