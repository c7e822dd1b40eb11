"""What operators and functions take and return."""

from dataclasses import dataclass

from detectviz.promql.nodes import ValueType

_S, _T, _V, _M = ValueType.SCALAR, ValueType.STRING, ValueType.VECTOR, ValueType.MATRIX

COMPARISONS = frozenset({"==", "!=", "<=", "<", ">=", ">"})
TRIMS = frozenset({"</", ">/"})
SET_OPERATORS = frozenset({"and", "or", "unless"})
PRECEDENCE = (
    {"or": 1, "and": 2, "unless": 2}
    | dict.fromkeys(COMPARISONS | TRIMS, 3)
    | {"+": 4, "-": 4, "*": 5, "/": 5, "%": 5, "atan2": 5, "^": 6}
)
UNARY_PRECEDENCE = 5
RIGHT_ASSOCIATIVE = frozenset({"^"})
PARAMETER_TYPES = {
    "topk": _S, "bottomk": _S, "quantile": _S, "limitk": _S, "limit_ratio": _S,
    "count_values": _T,
}  # fmt: skip
AGGREGATIONS = frozenset(
    {"sum", "avg", "min", "max", "count", "group", "stddev", "stdvar", *PARAMETER_TYPES}
)


@dataclass(frozen=True, slots=True)
class Signature:
    """Argument types, how many of the last are optional, whether it repeats, and the result."""

    arguments: tuple[ValueType, ...]
    result: ValueType = ValueType.VECTOR
    optional: int = 0
    repeats: bool = False


def _table() -> dict[str, Signature]:
    vector = """abs absent acos acosh asin asinh atan atanh ceil cos cosh deg exp floor
        histogram_avg histogram_count histogram_stddev histogram_stdvar histogram_sum ln log10
        log2 rad sgn sin sinh sort sort_desc sqrt start_timestamp tan tanh timestamp"""
    matrix = """absent_over_time avg_over_time changes count_over_time delta deriv first_over_time
        idelta increase irate last_over_time mad_over_time max_over_time min_over_time
        present_over_time rate resets stddev_over_time stdvar_over_time sum_over_time
        ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time ts_of_min_over_time"""
    dates = "days_in_month day_of_month day_of_week day_of_year hour minute month year"
    table = {name: Signature((_V,)) for name in vector.split()}
    table |= {name: Signature((_M,)) for name in matrix.split()}
    table |= {name: Signature((_V,), optional=1) for name in dates.split()}
    smoothing = Signature((_M, _S, _S))
    return table | {
        "clamp": Signature((_V, _S, _S)),
        "clamp_max": Signature((_V, _S)),
        "clamp_min": Signature((_V, _S)),
        "double_exponential_smoothing": smoothing,
        "end": Signature((), _S),
        "histogram_fraction": Signature((_S, _S, _V)),
        "histogram_quantile": Signature((_S, _V)),
        "histogram_quantiles": Signature((_V, _T, _S, _S), optional=1, repeats=True),
        "holt_winters": smoothing,
        "info": Signature((_V, _V), optional=1),
        "label_join": Signature((_V, _T, _T, _T), optional=1, repeats=True),
        "label_replace": Signature((_V, _T, _T, _T, _T)),
        "max_of": Signature((_S, _S), _S),
        "min_of": Signature((_S, _S), _S),
        "pi": Signature((), _S),
        "predict_linear": Signature((_M, _S)),
        "quantile_over_time": Signature((_S, _M)),
        "range": Signature((), _S),
        "round": Signature((_V, _S), optional=1),
        "scalar": Signature((_V,), _S),
        "sort_by_label": Signature((_V, _T), optional=1, repeats=True),
        "sort_by_label_desc": Signature((_V, _T), optional=1, repeats=True),
        "start": Signature((), _S),
        "step": Signature((), _S),
        "time": Signature((), _S),
        "vector": Signature((_S,)),
    }


FUNCTIONS = _table()
