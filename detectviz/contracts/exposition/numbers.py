"""Numbers inside label values."""

from math import isfinite, isnan
from typing import Final

import numpy as np

_SMALLEST_PLAIN: Final = 1e-4
_LARGEST_PLAIN: Final = 1e6


def format_float(value: float) -> str:
    """Return ``value`` as OpenMetrics writes bucket bounds and quantiles (1.0, 1e+06, +Inf).

    Source: ``formatOpenMetricsFloat`` of Prometheus' textparse, which is Go's %g.
    """
    if isnan(value):
        return "NaN"
    if not isfinite(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0 or _SMALLEST_PLAIN <= abs(value) < _LARGEST_PLAIN:
        return np.format_float_positional(value, unique=True, trim="0")
    return np.format_float_scientific(value, unique=True, trim="-", exp_digits=2)
