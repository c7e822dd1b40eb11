"""Rows of an answer as a table, or as series of it, within the limits of the call."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

from detectviz.contracts.datasource import DataQuery, DatasourceContext
from detectviz.contracts.frames import Frame, Notice
from detectviz.contracts.sql.tables import Column, Statement, make_frames


def table_frames(
    columns: Sequence[Column],
    rows: Iterable[Sequence[object]],
    *,
    query: DataQuery,
    context: DatasourceContext,
    executed_query: str = "",
    shape: Literal["table", "time_series"] = "table",
    notices: Sequence[Notice] = (),
) -> list[Frame]:
    """Return the frames of ``rows``, ``notices`` on the first; stops reading at the limits.

    Points in time are datetimes. As ``time_series`` the first column of time and those of numbers
    become series, texts their labels (QueryError 422 where there is no time or no number).
    """
    statement = Statement(sql=executed_query, shape=shape, fill=None, query=query)
    frames = make_frames(statement, columns, rows, context)
    return [replace(frames[0], notices=(*notices, *frames[0].notices)), *frames[1:]]
