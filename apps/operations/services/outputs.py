"""The files a run makes, below ``<data-dir>/exports/<org>/<run>/``; the org by its uid."""

import json
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.conf import settings

from detectviz.contracts.errors import PluginError
from detectviz.resources.errors import NotFoundError

_SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,110}\Z")  # noqa: TID251 - a constant of ours
_JOURNALS: Final = ".journals"
_HEAD_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFile:
    """One file of a run."""

    name: str
    size: int


class RunOutputs:
    """contracts' Outputs for one destination of one run.

    A journal beside each file says how long it was after each batch: what a crash left behind it
    is cut off, and a batch it names is not written again. ``prefix`` keeps the files of several
    destinations apart.
    """

    def __init__(self, *, tenant: str, run: str, prefix: str = "") -> None:
        self._org_folder = settings.EXPORTS_DIR / tenant
        self._folder = self._org_folder / run
        self._prefix = prefix
        self._journals: dict[str, dict[str, int]] = {}

    def append(self, name: str, data: bytes, *, batch_id: str) -> None:
        """Add to the file once for each batch; raise PluginError for a bad name or when full."""
        path = self._path(name)
        journal = self._journal(path)
        if batch_id in journal:
            return
        used = sum(each.stat().st_size for each in self._org_folder.rglob("*") if each.is_file())
        if used + len(data) > settings.EXPORTS_MAX_BYTES:
            raise PluginError(
                f"The files of this organisation's runs fill {used} bytes and may have "
                f"{settings.EXPORTS_MAX_BYTES} (DETECTVIZ_EXPORTS_MAX_BYTES): delete old runs.",
                permanent=True,
            )
        try:
            with path.open("ab") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                end = file.tell()
            with self._journal_path(path).open("a", encoding="utf-8") as lines:
                lines.write(json.dumps([batch_id, end]) + "\n")
                lines.flush()
                os.fsync(lines.fileno())
        except OSError as error:
            self._journals.pop(path.name, None)
            raise PluginError(f"{path.name} cannot be written: {error.strerror}.") from error
        journal[batch_id] = end

    def size(self, name: str) -> int:
        """Return how many bytes whole batches have filled."""
        path = self._path(name)
        self._journal(path)
        return path.stat().st_size if path.exists() else 0

    def head(self, name: str) -> str:
        """Return the first line, empty when there is no file."""
        if not self.size(name):
            return ""
        with self._path(name).open("rb") as file:
            return file.readline(_HEAD_BYTES).rstrip(b"\r\n").decode("utf-8", "replace")

    def _path(self, name: str) -> Path:
        if not _SAFE.match(name):
            raise PluginError(
                f"{name[:100]!r} is no name for a file: use letters, digits, dots, dashes and "
                "underscores, at most 111, beginning with a letter or digit.",
                permanent=True,
            )
        return Path(self._folder / f"{self._prefix}{name}")

    def _journal_path(self, path: Path) -> Path:
        return path.parent / _JOURNALS / path.name

    def _journal(self, path: Path) -> dict[str, int]:
        """Return the ends by batch; the first time cut off what no batch accounts for."""
        known = self._journals.get(path.name)
        if known is not None:
            return known
        place = self._journal_path(path)
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        known, whole = {}, 0
        if place.exists():
            for line in place.read_bytes().splitlines(keepends=True):
                if not line.endswith(b"\n"):
                    break
                batch_id, end = json.loads(line)
                known[batch_id] = end
                whole += len(line)
            os.truncate(place, whole)
        if path.exists():
            os.truncate(path, max(known.values(), default=0))
        self._journals[path.name] = known
        return known


def output_list(*, tenant: str, run: str) -> list[OutputFile]:
    """Return the files of a run by name."""
    folder = settings.EXPORTS_DIR / tenant / run
    if not folder.is_dir():
        return []
    found = [each for each in folder.iterdir() if each.is_file() and _SAFE.match(each.name)]
    return [OutputFile(name=each.name, size=each.stat().st_size) for each in sorted(found)]


def output_path(*, tenant: str, run: str, name: str) -> Path:
    """Return where a file of a run lies; raise NotFoundError."""
    path = Path(settings.EXPORTS_DIR / tenant / run / name)
    if not _SAFE.match(name) or not path.is_file() or path.is_symlink():
        raise NotFoundError("The run has no such file.")
    return path


def outputs_forget(*, tenant: str, runs: Iterable[str]) -> None:
    """Delete the files of runs."""
    for run in runs:
        shutil.rmtree(settings.EXPORTS_DIR / tenant / run, ignore_errors=True)
