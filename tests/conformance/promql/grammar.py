"""Typed PromQL for Hypothesis: only what Prometheus 2.42 and 3.x mean the same by.

What a function is applied to depends on what it is about: rates are of counters, sums of finite
numbers. Differences that remain are in the table of ``test_against_prometheus.py``.
"""

from hypothesis import strategies as st

Text = st.SearchStrategy[str]

RANGES = st.sampled_from(["1m", "90s", "5m", "13m30s"])
_STEPS = st.sampled_from(["30s", "1m", "90s"])
_OF_COUNTERS = "rate increase irate resets changes"
_OF_FINITE = "avg_over_time sum_over_time delta idelta"
_OF_GAUGES = "stddev_over_time stdvar_over_time deriv predict_linear holt_winters"
_OF_ANY = """min_over_time max_over_time count_over_time last_over_time present_over_time changes
    quantile_over_time resets"""
_MATH = """abs ceil floor exp ln log2 log10 sqrt sgn sin cos tan atan deg rad sinh tanh asinh
    timestamp sort sort_desc"""
_DATES = "day_of_week day_of_month day_of_year month year minute hour days_in_month"
_ARITHMETIC = st.sampled_from(["+", "-", "*", "/", "%", "^", "atan2"])
_COMPARISONS = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
_SETS = st.sampled_from(["and", "or", "unless"])
_NUMBERS = st.sampled_from(["0", "1", "-2.5", "100", "1e9", "0.3", "Inf", "-Inf", "NaN", "3"])
_LABELS = st.sampled_from(["job", "instance", "le", "zone", "none"])


def _joined(*parts: Text | str) -> Text:
    return st.tuples(*(st.just(one) if isinstance(one, str) else one for one in parts)).map("".join)


def _matchers() -> Text:
    one = st.sampled_from(
        ['job="a"', 'job!="a"', 'instance=~"1|2"', 'instance!~"3.*"', 'none=""', 'job=~".+"']
    )
    several = st.lists(one, max_size=2, unique=True)
    return several.map(lambda found: "{" + ", ".join(found) + "}" if found else "")


def _modifiers() -> Text:
    at = st.sampled_from(["", "", "", " @ start()", " @ end()", f" @ {1_699_999_213}"])
    offset = st.sampled_from(["", "", "", " offset 1m", " offset -90s", " offset 7m30s"])
    return st.one_of(_joined(at, offset), _joined(offset, at))


def _selector(*names: str) -> Text:
    return _joined(st.sampled_from(names), _matchers(), _modifiers())


def _matrix(*names: str) -> Text:
    return _joined(st.sampled_from(names), _matchers(), "[", RANGES, "]", _modifiers())


def _subquery(inner: Text) -> Text:
    return _joined("(", inner, ")[", RANGES, ":", _STEPS, "]", _modifiers())


def _over_time(name: str, matrix: Text) -> Text:
    match name:
        case "quantile_over_time":
            return _joined(f"{name}(", st.sampled_from(["0", "0.3", "1", "2"]), ", ", matrix, ")")
        case "predict_linear":
            return _joined(f"{name}(", matrix, ", 300)")
        case "holt_winters":
            return _joined(f"{name}(", matrix, ", 0.3, 0.6)")
        case _:
            return _joined(f"{name}(", matrix, ")")


def _ranges() -> Text:
    counters, finite = ("hits_total", "wait_bucket"), ("mem", "hits_total")
    return st.one_of(
        *(_over_time(name, _matrix(*counters)) for name in _OF_COUNTERS.split()),
        *(_over_time(name, _matrix(*finite)) for name in _OF_FINITE.split()),
        *(_over_time(name, _matrix("mem")) for name in _OF_GAUGES.split()),
        *(_over_time(name, _matrix(*finite, "odd")) for name in _OF_ANY.split()),
        *(
            _over_time(name, _subquery(_selector("mem")))
            for name in f"{_OF_FINITE} {_OF_GAUGES} {_OF_ANY}".split()
        ),
        _over_time("rate", _subquery(_selector("hits_total"))),
        _over_time("max_over_time", _subquery(_over_time("rate", _matrix("hits_total")))),
        _over_time("absent_over_time", _matrix("mem", "nothing")),
    )


def _quantiles() -> Text:
    q = st.sampled_from(["0.5", "0.9", "0.99", "-1", "2"])
    rates = _over_time("rate", _matrix("wait_bucket"))
    return st.one_of(
        _joined("histogram_quantile(", q, ", ", rates, ")"),
        _joined("histogram_quantile(", q, ", sum by (le, job) (", rates, "))"),
    )


def _natives() -> Text:
    """Native histograms, which 2.42 knew little of yet."""
    lat = st.one_of(
        _selector("lat"),
        _over_time("rate", _matrix("lat")),
        _over_time("increase", _matrix("lat")),
        _joined("sum by (job) (", _selector("lat"), ")"),
        _joined("sum(", _over_time("rate", _matrix("lat")), ")"),
    )
    of = st.sampled_from(["histogram_count", "histogram_sum"])
    return st.one_of(lat, _joined(of, "(", lat, ")"), _joined("count(", _selector("lat"), ")"))


def _grouping() -> Text:
    labels = st.lists(_LABELS, max_size=2, unique=True).map(", ".join)
    clause = _joined(st.sampled_from([" by (", " without ("]), labels, ") ")
    return st.one_of(st.just(" "), clause)


def _matching() -> Text:
    return st.sampled_from(["", " on (job, instance)", " ignoring (le)", " ignoring (none)"])


def _grown(inner: Text) -> Text:
    aggregations = st.sampled_from(["sum", "avg", "min", "max", "count", "group", "stdvar"])
    extremes = st.sampled_from(["topk", "bottomk"])
    pair = st.tuples(inner, inner).map(lambda two: (f"({two[0]})", f"({two[1]})"))
    return st.one_of(
        _joined(st.sampled_from(_MATH.split()), "(", inner, ")"),
        _joined(st.sampled_from(_DATES.split()), "(", _selector("mem", "hits_total"), " * 999)"),
        _joined("-(", inner, ")"),
        _joined(aggregations, _grouping(), "(", inner, ")"),
        _joined("quantile", _grouping(), "(0.7, ", inner, ")"),
        _joined(extremes, _grouping(), "(2, ", _selector("mem"), ")"),
        _joined('count_values("v", round(', _selector("mem"), ", 50))"),
        _joined("clamp(", inner, ", -50, 100)"),
        _joined("round(", inner, ", 0.1)"),
        _joined("absent(", inner, ")"),
        _joined("vector(scalar(", inner, "))"),
        _joined("label_replace(", inner, ', "to", "$1-x", "job", "(.).*")'),
        _joined("label_join(", inner, ', "to", "-", "job", "instance")'),
        _joined("(", inner, ") ", _ARITHMETIC, " ", _NUMBERS),
        _joined(_NUMBERS, " ", _ARITHMETIC, " (", inner, ")"),
        _joined("(", inner, ") ", _COMPARISONS, st.sampled_from([" ", " bool "]), _NUMBERS),
        st.tuples(pair, _ARITHMETIC, _matching()).map(
            lambda t: f"{t[0][0]} {t[1]}{t[2]} {t[0][1]}"
        ),
        st.tuples(pair, _COMPARISONS, st.sampled_from(["", " bool"]), _matching()).map(
            lambda t: f"{t[0][0]} {t[1]}{t[2]}{t[3]} {t[0][1]}"
        ),
        st.tuples(pair, _SETS, _matching()).map(lambda t: f"{t[0][0]} {t[1]}{t[2]} {t[0][1]}"),
        _joined("(", inner, ") * on (job) group_left (zone) zone_info"),
        _joined("zone_info * on (job) group_right () (", inner, ")"),
    )


def expressions() -> Text:
    """Make instant vectors."""
    leaves = st.one_of(_selector("mem", "hits_total", "odd"), _ranges(), _quantiles(), _natives())
    floats = st.one_of(_selector("mem", "hits_total"), _ranges(), _quantiles())
    return st.one_of(leaves, st.recursive(floats, _grown, max_leaves=4))
