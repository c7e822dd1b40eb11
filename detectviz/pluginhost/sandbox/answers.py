"""What types cannot say of an answer, and the host relies on: columns that fit each other."""

from collections.abc import Sequence

import numpy as np

from detectviz.contracts.collector import CheckResult
from detectviz.contracts.exposition.result import Exposition
from detectviz.contracts.frames import Frame
from detectviz.pluginhost.sandbox.child.codec import CodecError


def require_consistent(answer: object) -> None:
    """Raise CodecError for an answer whose parts contradict each other."""
    if isinstance(answer, CheckResult):
        for scrape in answer.scrapes or ():
            _require_exposition(scrape.exposition)
    elif isinstance(answer, Sequence) and not isinstance(answer, (str, bytes)):
        for item in answer:
            if isinstance(item, Frame):
                _require_frame(item)


def _require_exposition(exposition: Exposition) -> None:
    count = len(exposition.owners)
    columns = (exposition.values, exposition.timestamps_ms, exposition.start_times_ms)
    columns_fit = all(column is None or len(column) == count for column in columns)
    if not columns_fit or (
        exposition.histograms is not None and len(exposition.histograms) != count
    ):
        raise CodecError("The columns of a scrape have different lengths.")
    owners = exposition.owners
    if count and not 0 <= np.min(owners) <= np.max(owners) < len(exposition.series):
        raise CodecError("A sample of a scrape belongs to no series.")
    if any(not 0 <= place < count for place in exposition.exemplars):
        raise CodecError("An exemplar of a scrape belongs to no sample.")


def _require_frame(frame: Frame) -> None:
    if len({len(column.values) for column in frame.fields}) > 1:
        raise CodecError("The fields of a frame have different lengths.")
