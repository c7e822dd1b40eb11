"""AWS Signature Version 4 for one POST without a query.

Source: AWS General Reference, "Create a signed AWS API request".
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

_ALGORITHM: Final = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessKey:
    """Credentials, and where they are used. ``session_token`` belongs to temporary ones."""

    access_key: str
    secret_key: str
    region: str
    service: str
    session_token: str = ""


def signed_headers(
    key: AccessKey, *, url: str, body: bytes, headers: Mapping[str, str], at: datetime
) -> dict[str, str]:
    """Return ``headers`` with Host, X-Amz-Date and Authorization; Host is only signed.

    ``headers`` are all signed: they must be sent as they are here.
    """
    parts = urlsplit(url)
    stamp = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    signed = {**headers, "X-Amz-Date": stamp}
    if key.session_token:
        signed["X-Amz-Security-Token"] = key.session_token
    lowered = {name.lower(): value.strip() for name, value in signed.items()}
    lowered["host"] = parts.netloc
    names = ";".join(sorted(lowered))
    request = "\n".join(
        (
            "POST",
            parts.path or "/",
            "",
            *(f"{name}:{lowered[name]}" for name in sorted(lowered)),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        )
    )
    scope = f"{stamp[:8]}/{key.region}/{key.service}/aws4_request"
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = f"{_ALGORITHM}\n{stamp}\n{scope}\n{digest}"
    signature = hmac.new(_signing_key(key, stamp[:8]), text.encode(), hashlib.sha256).hexdigest()
    credential = f"Credential={key.access_key}/{scope}"
    authorization = f"{_ALGORITHM} {credential}, SignedHeaders={names}, Signature={signature}"
    return {**signed, "Authorization": authorization}


def _signing_key(key: AccessKey, day: str) -> bytes:
    signed = f"AWS4{key.secret_key}".encode()
    for part in (day, key.region, key.service, "aws4_request"):
        signed = hmac.new(signed, part.encode(), hashlib.sha256).digest()
    return signed
