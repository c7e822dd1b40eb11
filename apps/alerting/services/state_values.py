"""What the state machine speaks of: terms of a rule, outcomes, alerts, transitions, messages.

All times are Unix milliseconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from apps.alerting.enums import (
    AlertCondition,
    AlertState,
    ErrorPolicy,
    NoDataPolicy,
    TransitionReason,
)
from detectviz.contracts.types import AlertStatus
from detectviz.tsdb.interface import Sample

FIRING_STATES = frozenset({AlertState.FIRING, AlertState.RECOVERING})
ACTIVE_STATES = FIRING_STATES | {AlertState.PENDING}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTerms:
    """What the state machine needs to know of an alerting rule and its group."""

    name: str
    for_ms: int = 0
    keep_firing_for_ms: int = 0
    no_data: NoDataPolicy = NoDataPolicy.OK
    on_error: ErrorPolicy = ErrorPolicy.KEEP_LAST
    interval_ms: int = 60_000
    query_offset_ms: int = 0
    limit: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One element of the rule's answer, its labels and annotations already expanded."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    value: float
    source: Mapping[str, str] = field(default_factory=dict)  # the answer's own labels, as they were


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The expression was evaluated; ``elements`` is what it returned.

    ``missing`` are those it knows of without saying whether they hold: dimensions without a value.
    """

    elements: tuple[Element, ...] = ()
    missing: tuple[Element, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NoData:
    """Nothing the expression reads has a value; ``element`` carries the rule's own labels.

    ``marks`` are labels the alert ``DatasourceNoData`` has beside them.
    """

    element: Element
    marks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The expression could not be evaluated; ``element`` carries the rule's own labels.

    ``marks`` are labels the alert ``DatasourceError`` has beside them.
    """

    message: str
    element: Element
    marks: Mapping[str, str] = field(default_factory=dict)


Outcome: TypeAlias = Answer | NoData | Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One alert: a label set of a rule and its timers."""

    fingerprint: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    state: AlertState
    active_at_ms: int
    value: float
    fired_at_ms: int | None = None
    keep_firing_since_ms: int | None = None
    resolved_at_ms: int | None = None
    last_sent_at_ms: int | None = None
    condition: AlertCondition | None = None
    source: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_active(self) -> bool:
        """Whether the alert is pending, firing or recovering."""
        return self.state in ACTIVE_STATES

    @property
    def is_firing(self) -> bool:
        """Whether the alert fires, inside ``keep_firing_for`` or not."""
        return self.state in FIRING_STATES


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One change of state; ``instance`` is the alert as it is afterwards."""

    instance: Instance
    previous: AlertState
    state: AlertState
    at_ms: int
    reason: TransitionReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One message to whoever routes alerts: firing until ``ends_at_ms``, or resolved then."""

    fingerprint: str
    status: AlertStatus
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at_ms: int
    ends_at_ms: int
    value: float
    is_transition: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one evaluation leads to. ``error`` is the rule's, None when it is healthy."""

    instances: tuple[Instance, ...]
    transitions: tuple[Transition, ...] = ()
    samples: tuple[Sample, ...] = ()
    notifications: tuple[Notification, ...] = ()
    error: str | None = None
