"""What is wrong with an audit log."""


class ChainBrokenError(Exception):
    """An event was changed, removed, added or moved."""

    def __init__(self, scope: str, seq: int) -> None:
        super().__init__(f"The audit chain {scope} is broken at event {seq}.")
        self.scope = scope
        self.seq = seq
