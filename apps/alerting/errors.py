"""What can go wrong in alerting beyond bad input."""


class LeaseLostError(Exception):
    """The group was changed or claimed by somebody else meanwhile; nothing was written."""
