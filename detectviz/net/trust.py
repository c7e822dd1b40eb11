"""Which certificate authorities are trusted when a request names none."""

import ssl
import warnings
from functools import cache
from pathlib import Path

import certifi
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import Certificate, load_pem_x509_certificates


@cache
def bundle_path() -> str:
    """Return the file of the system's trust bundle, or certifi's when the system has none.

    libcurl keeps a parsed file between connections but parses a blob for each: hence a path.
    """
    paths = ssl.get_default_verify_paths()
    for candidate in (paths.cafile, "/etc/ssl/certs/ca-certificates.crt"):
        if candidate and Path(candidate).is_file():
            return candidate
    return certifi.where()


@cache
def bundle_certificates(path: str) -> tuple[Certificate, ...]:
    """Parse the certificates of a bundle, once."""
    with warnings.catch_warnings():
        # Old roots with a serial number of zero are not ours to mend.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return tuple(load_pem_x509_certificates(Path(path).read_bytes()))
