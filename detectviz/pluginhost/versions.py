"""Order of semantic versions (semver.org, section 11), and ``name@version`` as people type it."""

import re

# From semver.org, without the capture of build metadata, which has no place in the order.
_SEMVER = re.compile(  # noqa: TID251 - our own constant
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?"
)
_LONGEST = 64
VersionKey = tuple[tuple[int, int, int], tuple[tuple[int, int, str], ...]]
_RELEASE: tuple[tuple[int, int, str], ...] = ((2, 0, ""),)


def version_key(version: str) -> VersionKey:
    """Return what versions are sorted by; raise ValueError for what is no version."""
    found = _SEMVER.fullmatch(version) if len(version) <= _LONGEST and version.isascii() else None
    if found is None:
        raise ValueError(f"{version!r} is no version such as 1.0.0.")
    major, minor, patch, stage = found.groups()
    parts = stage.split(".") if stage else ()
    return (int(major), int(minor), int(patch)), tuple(map(_part, parts)) or _RELEASE


def wanted_parse(text: str) -> tuple[str, str]:
    """Split ``kind/name@version``; the version is empty where none is asked for."""
    plugin, _, version = text.partition("@")
    kind, _, name = plugin.partition("/")
    if not kind or not name:
        raise ValueError(f"Write kind/name or kind/name@version instead of {text!r}.")
    if version:
        version_key(version)
    return plugin, version


def _part(text: str) -> tuple[int, int, str]:
    return (0, int(text), "") if text.isdecimal() else (1, 0, text)
