"""Refuse to work with master keys that do not open what is stored."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.db import DatabaseError

from detectviz.checks import TAG
from detectviz.crypto.datakeys import unwrap
from detectviz.crypto.errors import CryptoError
from detectviz.crypto.keys import keyring
from detectviz.crypto.models import DataKey


@checks.register(checks.Tags.security, TAG)
def check_master_keys_format(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Demand well-formed master keys."""
    try:
        keyring()
    except CryptoError as error:
        hint = "Set DETECTVIZ_MASTER_KEYS to one secret, or to id:secret words with commas between."
        return [checks.Critical(str(error), hint=hint, id="detectviz.E202")]
    return []


@checks.register(checks.Tags.database)
def check_master_keys_open(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Open one data key of every key-encryption key: wrong master keys are told at the start."""
    if not databases:
        return []
    try:
        kek_ids = set(DataKey.objects.values_list("kek_id", flat=True).distinct())
        samples = [DataKey.objects.filter(kek_id=kek_id).order_by("pk")[0] for kek_id in kek_ids]
    except DatabaseError:  # before the first migration there is nothing to open
        return []
    return [problem for row in samples for problem in _problem_with(row)]


def _problem_with(row: DataKey) -> list[checks.CheckMessage]:
    try:
        unwrap(row)
    except CryptoError as error:
        return [
            checks.Critical(
                f"The master keys do not open the stored data keys of {row.kek_id!r}. {error}",
                hint="Restore the DETECTVIZ_MASTER_KEYS this database was made with; "
                "secrets stay unreadable, and unchanged, until then.",
                id="detectviz.E203",
            )
        ]
    return []
