"""Times of SQLite."""

from datetime import UTC, datetime

import pytest
from django.db.models import Max

from apps.orgs.models import Org
from detectviz.runtime.sqlite.operations import utc_time

AT = datetime(2026, 3, 29, 1, 30, 0, 250_000, tzinfo=UTC)


@pytest.mark.parametrize("at", [AT, AT.replace(microsecond=0), datetime(1, 1, 1, tzinfo=UTC)])
def test_a_time_is_read_as_django_writes_it(at: datetime) -> None:
    written = str(at.replace(tzinfo=None))

    assert utc_time(written.encode()) == at


def test_an_offset_that_other_hands_wrote_is_kept() -> None:
    assert utc_time(b"2026-03-29 03:30:00.25+02:00") == AT


def test_a_text_that_is_no_time_is_an_error() -> None:
    with pytest.raises(ValueError, match="Invalid isoformat"):
        utc_time(b"yesterday")


@pytest.mark.django_db
def test_columns_and_what_sql_computes_are_utc_times() -> None:
    org = Org.objects.create(name="clock")
    Org.objects.filter(pk=org.pk).update(created_at=AT)

    read = Org.objects.get(pk=org.pk).created_at
    newest = Org.objects.aggregate(newest=Max("created_at"))["newest"]

    assert (read, newest) == (AT, AT)
    assert (read.tzinfo, newest.tzinfo) == (UTC, UTC)
