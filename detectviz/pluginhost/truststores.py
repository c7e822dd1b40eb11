"""Trust stores and rules as an administrator writes them: YAML files in one folder.

``<store>.yaml`` names keys and the level they vouch for, ``rules.yaml`` what a plugin must have. A
file that cannot be understood refuses every plugin but the built-in ones: with half of the rules
nobody knows what is allowed.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from detectviz.pluginhost.signing import SignatureError, key_id_of, public_key_read

RULES_FILE = "rules.yaml"
_LARGEST_BYTES = 1 << 20
_KEY_ID = re.compile(r"[0-9a-f]{32}")  # noqa: TID251 - our own constant


class TrustLevel(StrEnum):
    """How far a plugin is believed, highest first."""

    CORE = "core"
    VERIFIED = "verified"
    COMMUNITY = "community"
    CUSTOM = "custom"

    def reaches(self, least: "TrustLevel") -> bool:
        """Return whether this is at least ``least``."""
        order = list(TrustLevel)
        return order.index(self) <= order.index(least)


class TrustFileError(SignatureError):
    """A trust store or the rules cannot be understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedKey:
    """One key of a store, and what it may sign: plugins by pattern, indexes of registries."""

    key_id: str
    public_key: bytes
    title: str = ""
    plugins: tuple[str, ...] = ("*",)
    registries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustStore:
    """Keys that vouch for one level, and keys nobody may believe any more, with the reason."""

    name: str
    level: TrustLevel
    keys: tuple[TrustedKey, ...] = ()
    revoked: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRule:
    """What plugins of a pattern must have; of several rules the first that matches counts."""

    pattern: str = "*"
    level: TrustLevel = TrustLevel.CUSTOM
    is_signature_required: bool = True
    is_isolated: bool | None = None

    def matches(self, plugin: str) -> bool:
        """Return whether the rule is about ``kind/name``."""
        return fnmatchcase(plugin, self.pattern)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustFiles:
    """All files of a trust folder. With a ``problem`` nothing may be believed."""

    stores: tuple[TrustStore, ...] = ()
    rules: tuple[TrustRule, ...] = ()
    unsigned: frozenset[str] = frozenset()
    problem: str = ""


def trust_files_read(folder: Path) -> TrustFiles:
    """Read every store and the rules; a folder that does not exist holds none."""
    stores: list[TrustStore] = []
    rules: tuple[TrustRule, ...] = ()
    unsigned: frozenset[str] = frozenset()
    try:
        for path in sorted(folder.glob("*.yaml")):
            document = _load(path)
            try:
                if path.name == RULES_FILE:
                    rules, unsigned = _rules(document)
                else:
                    stores.append(_store(document))
            except (TypeError, ValueError, KeyError, AttributeError, SignatureError) as error:
                raise TrustFileError(f"{path}: {error}") from None
    except TrustFileError as error:
        return TrustFiles(problem=str(error))
    return TrustFiles(stores=tuple(stores), rules=rules, unsigned=unsigned)


def store_document(store: TrustStore) -> dict[str, Any]:
    """Return a store as its file says it."""
    return {
        "name": store.name,
        "level": store.level.value,
        "keys": [
            {
                "id": key.key_id,
                "public_key": b64encode(key.public_key).decode("ascii"),
                "title": key.title,
                "plugins": list(key.plugins),
                "registries": list(key.registries),
            }
            for key in store.keys
        ],
        "revoked": [{"id": key, "reason": reason} for key, reason in store.revoked.items()],
    }


def store_read(path: Path) -> TrustStore:
    """Return one store; raise TrustFileError."""
    try:
        return _store(_load(path))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise TrustFileError(f"{path}: {error}") from None


def _load(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise TrustFileError(f"{path}: The file is too large.")
        document = _parsed(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise TrustFileError(f"{path}: {error}") from None
    if not isinstance(document, dict):
        raise TrustFileError(f"{path}: The file must hold one object.")
    return document


@lru_cache(maxsize=64)
def _parsed(text: str) -> object:
    """Return what a text says; nobody changes it. The same files are read for each plugin anew."""
    return yaml.load(text, Loader=yaml.CSafeLoader)


def _only(document: Mapping[str, Any], known: set[str]) -> None:
    unknown = sorted(set(document) - known, key=str)
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not known here; use {', '.join(sorted(known))}.")


def _store(document: dict[str, Any]) -> TrustStore:
    _only(document, {"name", "level", "keys", "revoked"})
    revoked = {}
    for entry in document.get("revoked") or ():
        _only(entry, {"id", "reason"})
        if not _KEY_ID.fullmatch(entry["id"]):
            raise ValueError(f"{entry['id']!r} is no id of a key.")
        revoked[entry["id"]] = str(entry.get("reason", ""))
    return TrustStore(
        name=str(document["name"]),
        level=TrustLevel(document["level"]),
        keys=tuple(_key(entry) for entry in document.get("keys") or ()),
        revoked=revoked,
    )


def _key(entry: dict[str, Any]) -> TrustedKey:
    _only(entry, {"id", "public_key", "title", "plugins", "registries"})
    public_key = public_key_read(entry["public_key"])
    key_id = key_id_of(public_key)
    if entry.get("id", key_id) != key_id:
        raise ValueError(f"the key {entry['id']} is {key_id}; copy both from its owner again.")
    return TrustedKey(
        key_id=key_id,
        public_key=public_key,
        title=str(entry.get("title", "")),
        plugins=_patterns(entry.get("plugins", ["*"])),
        registries=_patterns(entry.get("registries", [])),
    )


def _patterns(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise TypeError("write a list of patterns")
    return tuple(value)


def _rules(document: dict[str, Any]) -> tuple[tuple[TrustRule, ...], frozenset[str]]:
    _only(document, {"rules", "unsigned"})
    rules = []
    for entry in document.get("rules") or ():
        _only(entry, {"pattern", "level", "signature", "isolated"})
        signature, is_isolated = entry.get("signature", "required"), entry.get("isolated")
        if signature not in {"required", "optional"} or not isinstance(is_isolated, bool | None):
            raise ValueError("signature is required or optional, isolated true or false.")
        rules.append(
            TrustRule(
                pattern=str(entry["pattern"]),
                level=TrustLevel(entry.get("level", TrustLevel.CUSTOM)),
                is_signature_required=signature == "required",
                is_isolated=is_isolated,
            )
        )
    return tuple(rules), frozenset(_patterns(document.get("unsigned") or []))
