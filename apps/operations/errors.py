"""What can go wrong when the platform is started."""


class StartupError(Exception):
    """A process can't start; the message says what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
