"""Hypothesis strategies that make PromQL text."""

from hypothesis import strategies as st

from detectviz.promql.errors import ParseError
from detectviz.promql.nodes import ValueType
from detectviz.promql.parser import parse
from detectviz.promql.type_check import result_type

LABELS = st.sampled_from(["job", "instance", "le"])
VALUES = st.sampled_from(["a", "b", "a|b", ".*", ""])
DURATIONS = st.sampled_from(["1m", "5m", "90s", "1h30m", "7m15s", "500ms"])
SIMPLE = st.sampled_from(["abs", "ceil", "sgn", "sqrt", "timestamp", "sort_desc", "absent"])
_RANGES = """rate increase delta irate idelta changes resets deriv avg_over_time sum_over_time
    min_over_time last_over_time stddev_over_time"""
RANGES = st.sampled_from(_RANGES.split())
AGGREGATIONS = st.sampled_from(["sum", "avg", "min", "max", "count", "group", "stdvar"])
ARITHMETIC = st.sampled_from(["+", "-", "*", "/", "%", "^", "atan2"])
COMPARISONS = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
MODIFIERS = st.sampled_from(["", " offset 1m", " offset -90s", " @ 1200", " @ end() offset 5m"])


@st.composite
def selectors(draw: st.DrawFn) -> str:
    operators = st.sampled_from(["=", "!=", "=~", "!~"])
    pairs = draw(st.lists(st.tuples(LABELS, operators, VALUES), max_size=2))
    inside = ",".join(f'{name}{operator}"{value}"' for name, operator, value in pairs)
    return draw(st.sampled_from(["foo", "bar_total"])) + (f"{{{inside}}}" if inside else "")


@st.composite
def groupings(draw: st.DrawFn) -> str:
    labels = ", ".join(draw(st.lists(LABELS, max_size=2, unique=True)))
    return draw(st.sampled_from(["", f" by ({labels}) ", f" without ({labels}) "]))


NUMBERS = st.one_of(
    st.integers(0, 1000).map(str),
    st.floats(0, 1e6, allow_nan=False).map(repr),
    st.sampled_from(["Inf", "NaN", "1e-7", "2e+30", "0x1f"]),
)


def _matrices(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    plain = st.tuples(selectors(), DURATIONS, MODIFIERS).map(lambda t: f"{t[0]}[{t[1]}]{t[2]}")
    nested = st.tuples(inner, DURATIONS, st.sampled_from(["", "30s", "1m"]), MODIFIERS)
    return plain | nested.map(lambda t: f"({t[0]})[{t[1]}:{t[2]}]{t[3]}")


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    matrices = _matrices(inner)
    scalar_sides = st.tuples(inner, ARITHMETIC | COMPARISONS, NUMBERS)
    return st.one_of(
        st.tuples(SIMPLE, inner).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(RANGES, matrices).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(AGGREGATIONS, groupings(), inner).map(lambda t: f"{t[0]}{t[1]}({t[2]})"),
        st.tuples(st.integers(0, 3), groupings(), inner).map(
            lambda t: f"topk{t[1]}({t[0]}, {t[2]})"
        ),
        scalar_sides.map(lambda t: f"{t[0]} {t[1]} {t[2]}"),
        scalar_sides.map(lambda t: f"{t[2]} {t[1]} {t[0]}"),
        st.tuples(inner, st.sampled_from(["and", "or", "unless"]), inner).map(" ".join),
        st.tuples(inner, ARITHMETIC, st.just("on (job, instance)"), inner).map(" ".join),
        st.tuples(inner, COMPARISONS, st.just("bool"), inner).map(" ".join),
        inner.map(lambda one: f"-{one}"),
        inner.map(lambda one: f"({one})"),
    )


def is_vector(query: str) -> bool:
    """Tell whether a text, glued together without regard to precedence, is an instant vector."""
    try:
        return result_type(parse(query)) is ValueType.VECTOR
    except ParseError:
        return False


def vectors() -> st.SearchStrategy[str]:
    """Make texts of instant vectors."""
    leaves = st.tuples(selectors(), MODIFIERS).map("".join)
    return st.recursive(leaves, _grown, max_leaves=4).filter(is_vector)
