"""Making what strangers' servers say fit for every database."""

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

from detectviz.contracts.types import JsonObject

LARGEST_EVIDENCE_BYTES = 65_536
_TRUNCATED_CHARACTERS = 15_000


def text_clean(text: str) -> str:
    """Return ``text`` as every database can keep it: no NUL, no lone surrogates."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def evidence_clean(evidence: JsonObject) -> dict[str, Any]:
    """Return evidence as JSON every database can keep, at most 64 KiB.

    A larger document is kept as the beginning of its text, so that one page of a stranger's
    server can't fail a whole batch.
    """
    cleaned = json_clean(evidence)
    text = json.dumps(cleaned, ensure_ascii=False)
    if len(text.encode()) <= LARGEST_EVIDENCE_BYTES:
        return dict(cleaned)
    return {"truncated": True, "text": text[:_TRUNCATED_CHARACTERS]}


def json_clean(value: Any) -> Any:
    """Return a JSON value with texts every database can keep; what is no JSON becomes text."""
    if isinstance(value, str):
        return text_clean(value)
    if isinstance(value, Mapping):
        return {text_clean(str(key)): json_clean(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_clean(inner) for inner in value]
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float) and isfinite(value):
        return value
    return str(value)
