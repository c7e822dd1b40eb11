"""Functions that read values as Unix seconds in UTC."""

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

from detectviz.promql.calls import FunctionCall, Implementation
from detectviz.promql.vectors import Value, single_series
from detectviz.tsdb.interface import Float64Array, Int64Array

_DAY_S = 86_400
_HOUR_S = 3_600
_MINUTE_S = 60
_THURSDAY = 4
_WEEK_DAYS = 7
_LARGEST_S = 2.0**55

_Days = npt.NDArray[np.datetime64]


def _days(seconds: Int64Array) -> _Days:
    return seconds.astype("datetime64[s]").astype("datetime64[D]")


def _whole(values: npt.NDArray[np.timedelta64]) -> Int64Array:
    counted: Int64Array = values.astype(np.int64)
    return counted


def _year(seconds: Int64Array) -> Int64Array:
    years: Int64Array = _days(seconds).astype("datetime64[Y]").astype(np.int64) + 1970
    return years


def _month(seconds: Int64Array) -> Int64Array:
    months: Int64Array = _days(seconds).astype("datetime64[M]").astype(np.int64) % 12 + 1
    return months


def _day_of_month(seconds: Int64Array) -> Int64Array:
    days = _days(seconds)
    return _whole(days - days.astype("datetime64[M]").astype("datetime64[D]")) + 1


def _day_of_year(seconds: Int64Array) -> Int64Array:
    days = _days(seconds)
    return _whole(days - days.astype("datetime64[Y]").astype("datetime64[D]")) + 1


def _day_of_week(seconds: Int64Array) -> Int64Array:
    return (seconds // _DAY_S + _THURSDAY) % _WEEK_DAYS


def _days_in_month(seconds: Int64Array) -> Int64Array:
    month = _days(seconds).astype("datetime64[M]")
    following = (month + np.timedelta64(1, "M")).astype("datetime64[D]")
    return _whole(following - month.astype("datetime64[D]"))


def _hour(seconds: Int64Array) -> Int64Array:
    return seconds // _HOUR_S % 24


def _minute(seconds: Int64Array) -> Int64Array:
    return seconds // _MINUTE_S % 60


def _apply(part: Callable[[Int64Array], Int64Array], call: FunctionCall) -> Value:
    if not call.arguments:
        seconds = (call.times_ms // 1000).astype(np.int64)
        always = np.ones(len(seconds), dtype=np.bool_)
        return single_series({}, part(seconds).astype(np.float64), always)
    vector = call.vector(0).floats()
    return vector.derived(_of_values(part, vector.values))


def _of_values(part: Callable[[Int64Array], Int64Array], values: Float64Array) -> Float64Array:
    known = np.abs(values) < _LARGEST_S
    seconds = np.trunc(np.where(known, values, 0.0)).astype(np.int64)
    return np.where(known, part(seconds), np.nan)


DATE_FUNCTIONS: dict[str, Implementation] = {
    "day_of_month": partial(_apply, _day_of_month),
    "day_of_week": partial(_apply, _day_of_week),
    "day_of_year": partial(_apply, _day_of_year),
    "days_in_month": partial(_apply, _days_in_month),
    "hour": partial(_apply, _hour),
    "minute": partial(_apply, _minute),
    "month": partial(_apply, _month),
    "year": partial(_apply, _year),
}
