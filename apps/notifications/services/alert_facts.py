"""What the steps of a notification need to know of an alert, whatever it was read as.

A row of ``RoutedAlert`` has all of it. Where alerts are many, the steps read rows of their own
instead (`AlertRow`): a model instance costs five times the rest of the reading.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple, Protocol, Self

from django.db.models import QuerySet

from apps.notifications.models import RoutedAlert


class AlertFacts(Protocol):
    """What is asked of an alert to know whether it is held back."""

    @property
    def fingerprint(self) -> str:
        """The hash of its labels."""

    @property
    def labels(self) -> Mapping[str, str]:
        """What it is."""

    @property
    def rule_group(self) -> str:
        """Whose rules it is of, empty for other programs'."""

    @property
    def starts_at(self) -> datetime:
        """When it began."""

    @property
    def is_resolved(self) -> bool:
        """Whether it was said to be over."""


class RoutableAlert(AlertFacts, Protocol):
    """What is asked to put it into its groups."""

    @property
    def pk(self) -> int:
        """Its key in the inbox."""

    @property
    def routed_version(self) -> int:
        """The version that was last put into groups."""


class TellableAlert(AlertFacts, Protocol):
    """What is asked to tell of it."""

    @property
    def pk(self) -> int:
        """Its key in the inbox."""

    @property
    def annotations(self) -> Mapping[str, str]:
        """What is said of it."""

    @property
    def ends_at(self) -> datetime | None:
        """When it is over unless it is renewed, or was over."""

    @property
    def value(self) -> float | None:
        """What was measured, where a rule did."""

    @property
    def generator_url(self) -> str:
        """Where it comes from."""


class EndingAlert(Protocol):
    """What is asked to know whether it ended because nobody renewed it."""

    @property
    def fingerprint(self) -> str:
        """The hash of its labels."""

    @property
    def rule_group(self) -> str:
        """Whose rules it is of, empty for other programs'."""

    @property
    def ends_at(self) -> datetime | None:
        """When it is over unless it is renewed, or was over."""


class AlertRow(NamedTuple):
    """An alert to tell of, as read from its row."""

    pk: int
    fingerprint: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime | None
    is_resolved: bool
    value: float | None
    rule_group: str
    generator_url: str

    @classmethod
    def read(cls, rows: QuerySet[RoutedAlert]) -> Iterator[Self]:
        """Yield what ``rows`` finds, in its order."""
        return map(cls._make, rows.values_list(*cls._fields))
