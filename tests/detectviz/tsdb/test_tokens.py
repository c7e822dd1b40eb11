from collections.abc import Hashable, Mapping

import numpy as np

from detectviz.tsdb.interface import SampleColumns
from detectviz.tsdb.tokens import Recalled, TokenMemory


def labels_of(token: Hashable) -> Mapping[str, str]:
    return {"__name__": str(token)}


def others_of(token: Hashable) -> Mapping[str, str]:
    return {"__name__": f"other_{token}"}


def columns(*tokens: str, other: bool = False) -> SampleColumns:
    size = len(tokens)
    return SampleColumns(
        series=tokens,
        labels_of=others_of if other else labels_of,
        owners=np.arange(size),
        timestamps_ms=np.zeros(size, np.int64),
        values=np.zeros(size),
    )


def learn(memory: TokenMemory, epoch: int, series: int = 10, **ids: int) -> None:
    found = Recalled(epoch=epoch, ids=np.array(list(ids.values())))
    memory.learn("acme", columns(*ids), found=found, places=range(len(ids)), series=series)


def recall(memory: TokenMemory, *tokens: str, tenant: str = "acme") -> list[int]:
    return [int(one) for one in memory.recall(tenant, columns(*tokens)).ids]


def test_tokens_are_known_by_tenant_and_kind() -> None:
    memory = TokenMemory()
    learn(memory, 1, a=5, b=6)
    assert recall(memory, "b", "c", "a") == [6, -1, 5]
    assert recall(memory, "b", tenant="other") == [-1]
    assert memory.recall("acme", columns("a", other=True)).ids.tolist() == [-1]
    assert memory.recall("acme", columns("a")).epoch == 1


def test_a_new_epoch_forgets_what_was_known() -> None:
    memory = TokenMemory()
    learn(memory, 1, a=5)
    learn(memory, 2, b=6)
    assert recall(memory, "a", "b") == [-1, 6]


def test_memory_is_bounded_by_the_number_of_series() -> None:
    memory = TokenMemory()
    for number in range(20_000):
        learn(memory, 1, series=1, **{f"t{number}": 5})
    remembered = recall(memory, *(f"t{number}" for number in range(20_000)))
    assert 0 < len(remembered) - remembered.count(-1) <= 10_004
