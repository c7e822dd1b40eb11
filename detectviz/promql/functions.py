"""All functions by name."""

from detectviz.promql.calls import Implementation
from detectviz.promql.functions_dates import DATE_FUNCTIONS
from detectviz.promql.functions_histograms import HISTOGRAM_FUNCTIONS
from detectviz.promql.functions_labels import LABEL_FUNCTIONS
from detectviz.promql.functions_math import MATH_FUNCTIONS
from detectviz.promql.functions_order import ORDER_FUNCTIONS
from detectviz.promql.functions_ranges import RANGE_FUNCTIONS

IMPLEMENTATIONS: dict[str, Implementation] = {
    **DATE_FUNCTIONS,
    **HISTOGRAM_FUNCTIONS,
    **LABEL_FUNCTIONS,
    **MATH_FUNCTIONS,
    **ORDER_FUNCTIONS,
    **RANGE_FUNCTIONS,
}
