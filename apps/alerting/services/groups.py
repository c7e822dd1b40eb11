"""Claims due rule groups and evaluates them, once per slot and fenced by the lease's epoch."""

import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from django.apps import apps
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, QuerySet

from apps.alerting.enums import ErrorPolicy, NoDataPolicy, RuleEvaluator, RuleKind
from apps.alerting.errors import LeaseLostError
from apps.alerting.models import Alert, Rule, RuleGroup
from apps.alerting.services.alert_rows import instance_of
from apps.alerting.services.batching import rule_batches
from apps.alerting.services.conditions import condition_ask
from apps.alerting.services.datasource_health import (
    datasource_failures_save,
    datasource_health_write,
)
from apps.alerting.services.evaluation import Surroundings, group_run
from apps.alerting.services.memory import KnownGroup, memory
from apps.alerting.services.org_limits import org_rooms
from apps.alerting.services.outcomes import health_save, steps_save
from apps.alerting.services.plans import GroupPlan, RulePlan, plans_after
from apps.alerting.services.queries import rule_querier
from apps.alerting.services.rule_specs import MISSING_EVALUATIONS
from apps.alerting.services.schedule import slot_now
from apps.alerting.services.state_values import FlapTerms, Instance
from apps.alerting.services.telemetry import observe_batches
from apps.alerting.services.warmth import rules_store
from apps.series.services import series_store
from detectviz.clock import Clock, to_ms, utc_now
from detectviz.runtime.insisting import PASSING, insist
from detectviz.runtime.leases import owners_gone
from detectviz.runtime.telemetry import scheduler_lateness

LEASE_S = 30.0
RENEW_AFTER_S = 10.0
GIVEN_BACK_WITHIN_S = 10.0
MOST_CLAIMED = 4
_ACROSS = "the scheduler serves every org"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to evaluate a group until the lease ends or somebody raises the epoch."""

    group_id: int
    epoch: int


def groups_claim_due(
    *,
    owner: str,
    now: datetime,
    limit: int = MOST_CLAIMED,
    asks_datasources: bool | None = None,
) -> list[Claim]:
    """Claim enabled groups whose slot has come and whose lease is free, the latest first due.

    ``asks_datasources`` chooses: groups with rules that do, those without, or (None) all.

    One statement: two claimers never get the same group. A claim that is not finished within the
    lease (a killed process) is given out again with a higher epoch.
    """
    due = RuleGroup.objects.across_orgs(reason=_ACROSS).filter(is_enabled=True)
    if asks_datasources is not None:
        due = due.filter(asks_datasources=asks_datasources)
    if not due.filter(next_due_at__lte=now).exists():
        return []  # an idle tick must not take SQLite's write lock
    chosen = "" if asks_datasources is None else "AND asks_datasources = %s"
    locking = "" if connection.vendor == "sqlite" else "FOR UPDATE SKIP LOCKED"
    table, orgs = (
        model._meta.db_table for model in (RuleGroup, apps.get_model(settings.DETECTVIZ_ORG_MODEL))
    )
    statement = f"""
        UPDATE {table} SET lease_owner = %s, lease_until = %s, epoch = epoch + 1
        WHERE id IN (
            SELECT id FROM {table}
            WHERE is_enabled AND next_due_at <= %s AND (lease_until IS NULL OR lease_until <= %s)
            AND org_id IN (SELECT id FROM {orgs} WHERE is_active) {chosen}
            ORDER BY next_due_at LIMIT %s {locking}
        )
        RETURNING id, epoch
    """  # noqa: S608 - the names of the tables are ours
    until, moment = (
        connection.ops.adapt_datetimefield_value(value)
        for value in (now + timedelta(seconds=LEASE_S), now)
    )
    with connection.cursor() as cursor:
        given = [] if asks_datasources is None else [asks_datasources]
        cursor.execute(statement, [owner, until, moment, moment, *given, limit])
        return [Claim(group_id=pk, epoch=epoch) for pk, epoch in cursor.fetchall()]


def groups_release() -> int:
    """Make every claimed group claimable (a sole evaluator's start); return how many were held."""
    return _held().update(lease_owner="", lease_until=None)


def groups_release_gone() -> int:
    """Make claimable what killed processes of this machine had claimed; return how many."""
    gone = owners_gone(_held().values_list("lease_owner", flat=True).distinct())
    held = _held().filter(lease_owner__in=gone)
    return held.update(lease_owner="", lease_until=None) if gone else 0


def _held() -> "QuerySet[RuleGroup]":
    held: QuerySet[RuleGroup] = RuleGroup.objects.across_orgs(reason=_ACROSS)
    return held.filter(lease_until__isnull=False)


def groups_evaluate_due(
    *,
    owner: str,
    clock: Clock = utc_now,
    most: int = 50,
    asks_datasources: bool | None = None,
) -> int:
    """Claim and evaluate until nothing is due or ``most`` groups are done; return how many.

    Safe to run in several processes at once, twice, or killed anywhere: a group's states, history
    and messages are one transaction, and a repeated slot leads to the same.
    """
    done = 0
    while done < most:
        claims = groups_claim_due(owner=owner, now=clock(), asks_datasources=asks_datasources)
        for claim in claims:
            claim_evaluate(claim, clock=clock)
        done += len(claims)
        if not claims:
            break
    return done


def claim_evaluate(claim: Claim, *, clock: Clock = utc_now) -> None:
    """Evaluate a claimed group; its failure is logged and stops nobody else.

    Where the database failed, the group is given back at once; other failures wait for the lease.
    """
    try:
        group_evaluate(group_id=claim.group_id, epoch=claim.epoch, now=clock())
    except LeaseLostError as lost:
        logger.info("%s", lost)
    except PASSING as error:
        logger.warning("rule group %d is evaluated again: %s", claim.group_id, error)
        insist(lambda: _give_back(claim), within_s=GIVEN_BACK_WITHIN_S)
    except Exception:  # its lease expires, and it is tried again
        logger.exception("rule group %d could not be evaluated", claim.group_id)


def _give_back(claim: Claim) -> None:
    rows = RuleGroup.objects.across_orgs(reason=_ACROSS)
    ours = rows.filter(pk=claim.group_id, epoch=claim.epoch)
    ours.update(lease_owner="", lease_until=None)


def group_evaluate(*, group_id: int, epoch: int, now: datetime) -> None:
    """Evaluate a claimed group at its latest slot; skip and count the slots before it.

    Raise LeaseLostError, with nothing written but series, when the epoch is no longer ours.
    """
    started = time.monotonic()
    groups = RuleGroup.objects.across_orgs(reason=_ACROSS).select_related("org")
    group = groups.defer("spec_rules").filter(pk=group_id, epoch=epoch).first()
    if group is None or group.next_due_at is None:
        raise LeaseLostError(f"Rule group {group_id} was claimed, changed or deleted meanwhile.")
    scheduler_lateness.labels("rules").observe((now - group.next_due_at).total_seconds())
    at, missed = slot_now(group.next_due_at, group.interval_ms, now)
    known = memory.recalled(group) or _loaded(group)
    renewal = _Renewal(group=group, epoch=epoch)
    ask = partial(condition_ask, org=group.org, is_gone=renewal.is_lost)
    around = replace(surroundings_of(group), ask=ask, rooms=org_rooms(group, known.plan))
    datasource_health_write(group, around.querier, at_ms=to_ms(at))
    batches = list(
        group_run(
            known.plan,
            around,
            at_ms=to_ms(at),
            between=renewal.renew_if_old,
            batches=known.batches,
        )
    )
    runs = [run for batch in batches for run in batch.runs]
    with transaction.atomic():
        _finish(group, epoch, at=at, missed=missed, duration_s=time.monotonic() - started)
        _first_evaluations(group, known, at=at)
        health_save(org_id=group.org_id, rules=known.rules, runs=runs)
        if group.asks_datasources:
            datasource_failures_save(group=group, rules=known.rules, runs=runs, now=now)
        steps_save(group=group, rules=known.rules, runs=runs)
    observe_batches(batches)
    plan = plans_after(known.plan, runs, at_ms=to_ms(at))
    memory.keep(group, replace(known, plan=plan))


def surroundings_of(group: RuleGroup) -> Surroundings:
    """Return where a group's rules are evaluated: its org's series, nothing else's."""
    is_pushed_down = group.evaluation == RuleEvaluator.BACKEND
    querier = rule_querier(series_store() if is_pushed_down else rules_store(), group.org.uid)
    querier = replace(querier, is_pushed_down=is_pushed_down)
    return Surroundings(querier=querier, external_url=settings.EXTERNAL_URL)


def _loaded(group: RuleGroup) -> KnownGroup:
    rules = Rule.objects.for_org(group.org_id).filter(group=group, is_enabled=True)
    rows = {str(rule.pk): rule for rule in rules.order_by("position")}
    instances: dict[int, list[Instance]] = defaultdict(list)
    for row in Alert.objects.for_org(group.org_id).filter(rule__group=group):
        instances[row.rule_id].append(instance_of(row))
    plans = [rule_row_plan(group, rule, tuple(instances[rule.pk])) for rule in rows.values()]
    return KnownGroup(rules=rows, plan=_group_plan(group, plans), batches=rule_batches(plans))


def plan_of(group: RuleGroup) -> GroupPlan:
    """Return a group's enabled rules as they are evaluated, without what their alerts are."""
    rules = Rule.objects.for_org(group.org_id).filter(group=group, is_enabled=True)
    return _group_plan(
        group, [rule_row_plan(group, rule, ()) for rule in rules.order_by("position")]
    )


def _group_plan(group: RuleGroup, rules: Sequence[RulePlan]) -> GroupPlan:
    return GroupPlan(
        name=group.name,
        interval_ms=group.interval_ms,
        limit=group.limit,
        query_offset_ms=group.query_offset_ms,
        previous_at_ms=None if group.last_eval_at is None else to_ms(group.last_eval_at),
        rules=tuple(rules),
    )


def rule_row_plan(group: RuleGroup, rule: Rule, instances: tuple[Instance, ...]) -> RulePlan:
    """Return a rule's row as it is evaluated."""
    return RulePlan(
        key=str(rule.pk),
        kind=RuleKind(rule.kind),
        name=rule.name,
        expr=rule.expr,
        queries=rule.queries,
        condition=rule.condition,
        for_ms=rule.for_ms,
        keep_firing_for_ms=rule.keep_firing_for_ms,
        labels={**group.shared_labels, **rule.labels},
        annotations=rule.annotations,
        no_data=NoDataPolicy(rule.no_data),
        on_error=ErrorPolicy(rule.on_error),
        instances=instances,
        is_evaluated=rule.first_eval_at is not None,
        recovery_expr=rule.recovery_expr,
        recovery_condition=rule.recovery_condition,
        missing_evaluations=rule.missing_series_evaluations
        or (MISSING_EVALUATIONS if rule.queries else 0),
        limit=rule.limit,
        flapping=_flap_terms(rule),
    )


def _flap_terms(rule: Rule) -> FlapTerms | None:
    low, high = rule.low_flap_threshold, rule.high_flap_threshold
    return None if low is None or high is None else FlapTerms(low=low, high=high)


def _first_evaluations(group: RuleGroup, known: KnownGroup, *, at: datetime) -> None:
    if all(plan.is_evaluated for plan in known.plan.rules):
        return
    rules = Rule.objects.for_org(group.org_id).filter(group=group, is_enabled=True)
    rules.filter(first_eval_at=None).update(first_eval_at=at)


def _finish(group: RuleGroup, epoch: int, *, at: datetime, missed: int, duration_s: float) -> None:
    """Free the lease and move to the next slot, if the epoch is still ours."""
    rows = RuleGroup.objects.across_orgs(reason=_ACROSS).filter(pk=group.pk, epoch=epoch)
    updated = rows.update(
        next_due_at=at + timedelta(milliseconds=group.interval_ms),
        lease_owner="",
        lease_until=None,
        last_eval_at=at,
        last_duration_s=duration_s,
        missed_iterations=F("missed_iterations") + missed,
    )
    if not updated:
        raise LeaseLostError(f"Rule group {group.name!r} was claimed or changed meanwhile.")


@dataclass(slots=True, kw_only=True)
class _Renewal:
    """Keeps the lease of a group whose rules take long."""

    group: RuleGroup
    epoch: int
    renewed_at: float = 0.0

    def __post_init__(self) -> None:
        self.renewed_at = time.monotonic()

    def is_lost(self) -> bool:
        """Extend the lease while datasources are asked; tell whether somebody else has it."""
        try:
            self.renew_if_old()
        except LeaseLostError:
            return True
        return False

    def renew_if_old(self) -> None:
        """Extend the lease when a third of it has passed."""
        if time.monotonic() - self.renewed_at < RENEW_AFTER_S:
            return
        rows = RuleGroup.objects.across_orgs(reason=_ACROSS)
        until = utc_now() + timedelta(seconds=LEASE_S)
        if not rows.filter(pk=self.group.pk, epoch=self.epoch).update(lease_until=until):
            raise LeaseLostError(f"Rule group {self.group.name!r} was claimed by somebody else.")
        self.renewed_at = time.monotonic()
