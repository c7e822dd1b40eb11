"""What can go wrong when a secret is sealed or opened. No message carries a value."""


class CryptoError(Exception):
    """A secret can't be sealed or opened."""


class MasterKeysFormatError(CryptoError):
    """DETECTVIZ_MASTER_KEYS is not a list of ``id:secret`` words."""


class UnknownKeyError(CryptoError):
    """The key that sealed this value is not at hand; the value is left as it is."""


class SealBrokenError(CryptoError):
    """The value was changed, moved from another place, or sealed with another key."""
