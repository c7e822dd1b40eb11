import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detectviz.tsdb.codec import Batch
from detectviz.tsdb.head import Head, run_segment
from detectviz.tsdb.segments import assemble

batches = st.lists(
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 50)), min_size=1, max_size=8), max_size=30
)


@given(sizes=batches, read_every=st.integers(1, 5), start=st.integers(0, 25))
def test_whatever_the_order_of_appends_and_reads_nothing_is_lost(
    sizes: list[list[tuple[int, int]]], read_every: int, start: int
) -> None:
    head, expected = Head(), set()
    for number, pairs in enumerate(sizes):
        ids = np.array([series_id for series_id, _ in pairs])
        times = np.array([moment for _, moment in pairs])
        head.add(number, Batch(series_ids=ids, timestamps_ms=times, values=ids * 100.0 + times))
        expected |= {pair for pair in pairs if start <= pair[1] <= 40}
        if number % read_every == 0:
            head.runs()
    wanted = np.array([2, 7, 1, 5])
    columns = assemble(4, [run_segment(run, wanted, start, 40) for run in head.runs()])
    owners = np.repeat(wanted, np.diff(columns.offsets))
    found = list(zip(owners.tolist(), columns.timestamps_ms.tolist(), strict=True))
    assert set(found) == {pair for pair in expected if pair[0] in wanted}
    assert len(found) == len(set(found))
    assert columns.values.tolist() == (owners * 100.0 + columns.timestamps_ms).tolist()


def test_runs_stay_few() -> None:
    head = Head()
    for moment in range(1000):
        head.add(
            moment,
            Batch(
                series_ids=np.arange(10),
                timestamps_ms=np.full(10, moment),
                values=np.zeros(10),
            ),
        )
        assert len(head.runs()) <= 8
