"""Columns that are there only if some sample has such: histograms and start times."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from detectviz.tsdb.interface import HistogramArray, Int64Array

Chosen: TypeAlias = npt.NDArray[np.bool_] | Int64Array | slice


def is_histogram(histograms: HistogramArray) -> npt.NDArray[np.bool_]:
    """Say which items are histograms."""
    return np.asarray(histograms != None, np.bool_)  # noqa: E711 - item by item


def picked(column: npt.NDArray[Any] | None, chosen: Chosen) -> npt.NDArray[Any] | None:
    """Return the chosen items of a column, if it is there."""
    return None if column is None else column[chosen]


def joined(
    columns: Sequence[npt.NDArray[Any] | None], sizes: Sequence[int], missing: Any
) -> npt.NDArray[Any] | None:
    """Join columns of these sizes; ``missing`` fills those that are not there, unless all are."""
    present = [column for column in columns if column is not None]
    if not present:
        return None
    return np.concatenate(
        [
            np.full(size, missing, present[0].dtype) if column is None else column
            for column, size in zip(columns, sizes, strict=True)
        ]
    )
