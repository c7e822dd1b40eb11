"""What an outcome means to a rule's alerts: its policies for missing data and errors applied.

Policies are Grafana's (``pkg/services/ngalert/state``): NoData or Error raise an alert of their
own and hold the others, Alerting goes through ``for``, KeepLast carries on, OK resolves.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from apps.alerting.enums import AlertCondition, ErrorPolicy, NoDataPolicy, TransitionReason
from apps.alerting.services.fingerprints import fingerprint
from apps.alerting.services.state_values import (
    REASON_KEY,
    Answer,
    Element,
    Failure,
    Instance,
    NoData,
    Outcome,
    RuleTerms,
)

NO_DATA_ALERT = "DatasourceNoData"
ERROR_ALERT = "DatasourceError"
_SPECIAL_POLICIES = frozenset({NoDataPolicy.NO_DATA.value, ErrorPolicy.ERROR.value})
_REASONS = {
    AlertCondition.NO_DATA: TransitionReason.NO_DATA,
    AlertCondition.ERROR: TransitionReason.ERROR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An outcome after the policies: what counts as present, and what is left as it was.

    ``ended`` is why alerts that are not present end, where the answer alone does not say it;
    ``gone`` are those whose series is missing, ``unrecovered`` those that still wait for the
    recovery expression.
    """

    present: Mapping[str, Element]
    held: frozenset[str] = frozenset()
    condition: AlertCondition | None = None
    lacking: frozenset[str] = frozenset()  # of these alone the value is missing
    ended: TransitionReason | None = None
    gone: frozenset[str] = frozenset()
    unrecovered: frozenset[str] = frozenset()

    def condition_of(self, key: str) -> AlertCondition | None:
        """Return why an alert's state is not the plain answer."""
        return AlertCondition.NO_DATA if key in self.lacking else self.condition

    def reason_of(self, key: str) -> TransitionReason | None:
        """Return why an alert that is present or held is as it is."""
        condition = self.condition_of(key)
        return None if condition is None else _REASONS[condition]

    def absence_of(self, key: str) -> TransitionReason | None:
        """Return why an alert that is neither present nor held ends."""
        if key in self.gone:
            return TransitionReason.MISSING_SERIES
        return self.reason_of(key) or self.ended


def seen_of(rule: RuleTerms, previous: Sequence[Instance], outcome: Outcome) -> Seen:
    """Return what an outcome means, by the rule's policies."""
    if isinstance(outcome, Answer):
        return _answer_seen(rule, previous, outcome)
    if isinstance(outcome, NoData):
        policy, condition = rule.no_data.value, AlertCondition.NO_DATA
        special, reason = NO_DATA_ALERT, TransitionReason.NO_DATA
    else:
        policy, condition = rule.on_error.value, AlertCondition.ERROR
        special, reason = ERROR_ALERT, TransitionReason.ERROR
    if policy == NoDataPolicy.OK.value:
        return Seen(present={}, ended=reason)
    element = outcome.element
    ordinary = [item for item in previous if item.is_active and REASON_KEY not in item.labels]
    if policy in _SPECIAL_POLICIES:
        marks = {**outcome.marks, "rulename": rule.name}
        raised = _special(element, special, reason, marks)
        if isinstance(outcome, Failure):
            raised = replace(
                raised, annotations={**raised.annotations, "error": outcome.message[:1000]}
            )
        held = frozenset(item.fingerprint for item in ordinary)
        return Seen(present=_by_fingerprint([raised]), held=held, condition=condition)
    elements = [_replayed(item) for item in ordinary]
    if policy == NoDataPolicy.ALERTING.value and not elements:
        annotations = {**element.annotations, REASON_KEY: reason.value}
        elements = [replace(element, annotations=annotations)]
    return Seen(present=_by_fingerprint(elements), condition=condition)


def _answer_seen(rule: RuleTerms, previous: Sequence[Instance], outcome: Answer) -> Seen:
    """Apply the policy for missing data to each dimension that has no value."""
    present = _by_fingerprint(outcome.elements)
    missing = _by_fingerprint(outcome.missing) if outcome.missing else {}
    plain = Seen(present=present)
    if rule.has_recovery or rule.missing_evaluations:
        plain = replace(
            plain,
            gone=frozenset(outcome.gone - missing.keys()),
            unrecovered=_unrecovered(rule, previous, outcome) - outcome.gone,
        )
    if not missing:
        return plain
    if rule.no_data is NoDataPolicy.OK:
        return replace(plain, unrecovered=plain.unrecovered - missing.keys())
    active = {item.fingerprint for item in previous if item.is_active}
    reason = TransitionReason.NO_DATA
    if rule.no_data is NoDataPolicy.ALERTING:
        noted = {
            key: replace(one, annotations={**one.annotations, REASON_KEY: reason.value})
            for key, one in missing.items()
        }
        lacking = frozenset(noted.keys() - present.keys())
        return replace(plain, present={**noted, **present}, lacking=lacking)
    held = frozenset(active & missing.keys())
    raised: dict[str, Element] = {}
    if rule.no_data is NoDataPolicy.NO_DATA:
        marks = {**outcome.marks, "rulename": rule.name}
        raised = _by_fingerprint(
            [_special(one, NO_DATA_ALERT, reason, marks) for one in missing.values()]
        )
    return replace(plain, present={**present, **raised}, held=held, lacking=held | raised.keys())


def _unrecovered(rule: RuleTerms, previous: Sequence[Instance], outcome: Answer) -> frozenset[str]:
    if not rule.has_recovery:
        return frozenset()
    waiting = {item.fingerprint for item in previous if item.is_firing and item.is_ordinary}
    return frozenset(waiting - outcome.recovered)


def _special(
    element: Element, name: str, reason: TransitionReason, marks: Mapping[str, str]
) -> Element:
    """Return the alert that tells of missing data or an error, with the rule's own labels."""
    labels = {**element.labels, **marks, "alertname": name, REASON_KEY: reason.value}
    return replace(element, labels=labels)


def _replayed(instance: Instance) -> Element:
    return Element(
        labels=instance.labels,
        annotations=instance.annotations,
        value=instance.value,
        source=instance.source,
    )


def _by_fingerprint(elements: Iterable[Element]) -> dict[str, Element]:
    return {fingerprint(element.labels): element for element in elements}
