"""Specs of folders."""

from typing import Any

from rest_framework import serializers

YEAR_S = 365 * 86_400


class FolderSpec(serializers.Serializer[Any]):
    """A folder."""

    title = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


def _limit(least: int, most: int, text: str) -> serializers.IntegerField:
    return serializers.IntegerField(
        min_value=least,
        max_value=most,
        required=False,
        allow_null=True,
        default=None,
        help_text=f"{text} Null: the platform's default.",
    )


class QuotaSpec(serializers.Serializer[Any]):
    """Limits and retentions of an org's time series."""

    max_series = _limit(1, 1 << 32, "How many series may be active (a sample within two hours).")
    samples_per_s = _limit(1, 1 << 32, "How many samples may come per second, on average.")
    max_labels = _limit(1, 64, "How many labels a series may have.")
    max_label_name_bytes = _limit(1, 128, "How long a label's name may be, in bytes.")
    max_label_value_bytes = _limit(1, 2048, "How long a label's value may be, in bytes.")
    out_of_order_s = _limit(0, 10 * YEAR_S, "How much older than the newest a sample may be.")
    retention_s = _limit(3600, 100 * YEAR_S, "How long raw samples are kept, in seconds.")
    rollup_5m_retention_s = _limit(0, 100 * YEAR_S, "How long 5-minute rollups are kept; 0: none.")
    rollup_1h_retention_s = _limit(0, 100 * YEAR_S, "How long 1-hour rollups are kept; 0: none.")
