"""An answer is counted row by row or in columns, with one outcome."""

from hypothesis import given
from hypothesis import strategies as st

from detectviz.contracts.answers import AnswerBudget, cell_bytes
from detectviz.contracts.types import JsonValue

CELLS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9))


@given(
    rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=20),
    max_rows=st.integers(0, 25),
    max_bytes=st.integers(0, 400),
)
def test_columns_count_as_their_rows(
    rows: list[tuple[JsonValue, ...]], max_rows: int, max_bytes: int
) -> None:
    one, many = (AnswerBudget(max_rows=max_rows, max_bytes=max_bytes) for _ in range(2))
    taken = 0
    while taken < len(rows) and one.take(rows[taken]):
        taken += 1
    assert many.take_many(list(zip(*rows, strict=True))) == taken
    assert (many.rows, many.bytes, many.is_cut) == (one.rows, one.bytes, one.is_cut)


def test_what_was_cut_is_told_once_it_was() -> None:
    budget = AnswerBudget(max_rows=1, max_bytes=100)
    assert budget.take(["a"])
    assert not budget.notices
    assert not budget.take(["b"])
    assert "cut after 1 rows" in budget.notices[0].text


def test_bytes_of_values() -> None:
    values: list[JsonValue] = ["ab", "ä", 1, None, [1, "x"], {"k": "v"}]
    assert [cell_bytes(value) for value in values] == [2, 2, 8, 8, 9, 2]
