"""What can go wrong when a secret is sealed or opened. No message carries a value."""


class CryptoError(Exception):
    """A secret can't be sealed or opened. ``message`` says what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class MasterKeysFormatError(CryptoError):
    """DETECTVIZ_MASTER_KEYS is not a list of ``id:secret`` words."""


class UnknownKeyError(CryptoError):
    """The key that sealed this value is not at hand; the value is left as it is."""


class WrongMasterKeysError(CryptoError):
    """The master keys are not those this database was made with."""


class SealBrokenError(CryptoError):
    """The value was changed, moved from another place, or sealed with another key."""
