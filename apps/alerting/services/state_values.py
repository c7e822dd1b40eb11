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

REASON_KEY = "detectviz_reason"
FIRING_STATES = frozenset({AlertState.FIRING, AlertState.RECOVERING})
ACTIVE_STATES = FIRING_STATES | {AlertState.PENDING}


@dataclass(frozen=True, slots=True, kw_only=True)
class FlapTerms:
    """Between which percentages of change an alert flaps: from ``high`` on, until ``low``."""

    low: int
    high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTerms:
    """What the state machine needs to know of an alerting rule and its group.

    ``has_recovery`` says that what fires goes on until the answer names it as recovered;
    ``missing_evaluations`` after how many evaluations without its series an alert ends (0: a
    series that is missing no longer holds). ``room`` is how many alerts the org may have for
    this rule beside those of its others, None for any number.
    """

    name: str
    for_ms: int = 0
    keep_firing_for_ms: int = 0
    no_data: NoDataPolicy = NoDataPolicy.OK
    on_error: ErrorPolicy = ErrorPolicy.KEEP_LAST
    interval_ms: int = 60_000
    query_offset_ms: int = 0
    limit: int = 0
    room: int | None = None
    has_recovery: bool = False
    missing_evaluations: int = 0
    flapping: FlapTerms | None = None


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
    Of earlier alerts, by fingerprint: ``gone`` are those whose series is not there any more,
    ``recovered`` those for which the recovery expression holds. ``marks`` are labels that alerts of
    missing dimensions have beside their own.
    """

    elements: tuple[Element, ...] = ()
    missing: tuple[Element, ...] = ()
    gone: frozenset[str] = frozenset()
    recovered: frozenset[str] = frozenset()
    marks: Mapping[str, str] = field(default_factory=dict)


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
    """One alert: a label set of a rule and its timers.

    ``reason`` is why it is as it is, where the expression alone does not say it. ``missed`` counts
    the evaluations its series was missing, ``flips`` are the latest times it began or ceased to
    fire (of rules that watch for flapping). One that is over and still watched is inactive.
    """

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
    reason: TransitionReason | None = None
    missed: int = 0
    is_flapping: bool = False
    flips: tuple[int, ...] = ()

    @property
    def is_ordinary(self) -> bool:
        """Whether it is one of the answer, not one that tells of missing data or errors."""
        return REASON_KEY not in self.labels and REASON_KEY not in self.annotations

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
    """What one evaluation leads to. ``error`` is the rule's, None when it is healthy.

    ``failing`` are the uids of the datasources that did not answer.
    """

    instances: tuple[Instance, ...]
    transitions: tuple[Transition, ...] = ()
    samples: tuple[Sample, ...] = ()
    notifications: tuple[Notification, ...] = ()
    error: str | None = None
    failing: tuple[str, ...] = ()
