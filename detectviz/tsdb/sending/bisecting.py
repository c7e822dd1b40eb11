"""Which samples of a refused request are to blame: halve it until only those are left."""

from collections.abc import Callable, Sequence

from detectviz.tsdb.backend_http import BackendError
from detectviz.tsdb.sending.lots import Lot


def halves(lots: Sequence[Lot]) -> tuple[list[Lot], list[Lot]] | None:
    """Split lots, a lot, or a series' samples in two, order kept; None for a single sample."""
    if len(lots) > 1:
        middle = len(lots) // 2
        return list(lots[:middle]), list(lots[middle:])
    (lot,) = lots
    if len(lot) <= 1:
        return None
    if len(lot.labels) > 1:
        middle = len(lot.labels) // 2
        border = int(lot.counts[:middle].sum())
        return [_cut(lot, 0, middle, 0, border)], [
            _cut(lot, middle, len(lot.labels), border, len(lot))
        ]
    border = len(lot) // 2
    return [_cut(lot, 0, 1, 0, border)], [_cut(lot, 0, 1, border, len(lot))]


def send_what_is_taken(
    lots: Sequence[Lot],
    error: BackendError,
    *,
    send: Callable[[Sequence[Lot]], None],
    bury: Callable[[Sequence[Lot], str], None],
) -> None:
    """Send the good part of refused ``lots``; give each bad sample to ``bury`` with its reason.

    Costs about two requests per bad sample and halving. Raises what ``send`` raises that is not
    about the data.
    """
    parts = halves(lots)
    if parts is None:
        bury(lots, str(error))
        return
    for part in parts:
        try:
            send(part)
        except BackendError as again:
            if not again.is_about_data:
                raise
            send_what_is_taken(part, again, send=send, bury=bury)


def _cut(lot: Lot, first: int, last: int, start: int, end: int) -> Lot:
    counts = lot.counts[first:last]
    if last - first == 1:
        counts = counts * 0 + (end - start)
    return Lot(
        labels=lot.labels[first:last],
        counts=counts,
        timestamps_ms=lot.timestamps_ms[start:end],
        values=lot.values[start:end],
        histograms={
            place - start: one for place, one in lot.histograms.items() if start <= place < end
        },
    )
