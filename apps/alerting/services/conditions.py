"""Asks the datasources of a rule: through the query service, outside of transactions."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import models

from apps.alerting.services.condition_answers import (
    ConditionAnswer,
    ConditionError,
    condition_answer,
)
from apps.alerting.services.condition_specs import is_expression, queries_document
from apps.alerting.services.plans import RulePlan
from apps.datasources.selectors import datasource_resolve
from apps.datasources.services.queries import PERMISSION, queries_run, query_problem
from detectviz.permissions.access import Access
from detectviz.queries.document import read_request
from detectviz.queries.errors import (
    CancelledError,
    CrowdedError,
    DependencyError,
    DocumentError,
    QueryFailure,
    RefusedQueryError,
)
from detectviz.queries.model import Results
from detectviz.resources.errors import ForbiddenError, NotFoundError

RULE_TIMEOUT = "30s"
Problems = dict[str, list[str]]
# Failures that are not the datasource's.
_ANSWERED = (RefusedQueryError, DependencyError, CancelledError, CrowdedError)


def condition_ask(
    rule: RulePlan,
    at_ms: int,
    *,
    org: models.Model,
    access: Access | None = None,
    is_gone: Callable[[], bool] = lambda: False,
) -> ConditionAnswer:
    """Return what a rule's queries say as of a time; raise ConditionError.

    ``access`` of None asks as the platform. At most 30 s; ``is_gone`` ends it sooner.
    """
    document = queries_document(
        rule.queries, at_ms=at_ms, timeout=RULE_TIMEOUT, loaded=loaded_dimensions(rule)
    )
    try:
        request = read_request(document, now_ms=at_ms)
    except DocumentError as error:
        raise ConditionError(str(error)) from error
    marks = condition_marks(rule, org)
    results = queries_run(org=org, access=access, request=request, is_gone=is_gone)
    try:
        return condition_answer(rule, results, marks=marks)
    except ConditionError as error:
        error.marks = marks
        error.failing = _failing(rule, results, org)
        raise


def _is_outage(error: QueryFailure) -> bool:
    """Tell whether a datasource did not answer, and not just refused what it was asked."""
    return not isinstance(error, _ANSWERED) and error.reason != RefusedQueryError.reason


def _failing(rule: RulePlan, results: Results, org: models.Model) -> tuple[str, ...]:
    """Return the uids of the datasources that did not answer."""
    refs = {
        query["ref_id"]: query.get("datasource", "")
        for query in rule.queries
        if not is_expression(query)
    }
    failed = [
        refs[each.ref_id]
        for each in results.outcomes.values()
        if each.ref_id in refs and each.error is not None and _is_outage(each.error)
    ]
    return tuple(dict.fromkeys(_uid(org, ref) for ref in failed))


def loaded_dimensions(rule: RulePlan) -> list[Mapping[str, str]]:
    """Return the dimensions that hold since an earlier evaluation, for the way back."""
    return [item.source for item in rule.instances if item.is_active and item.is_ordinary]


def condition_marks(rule: RulePlan, org: models.Model) -> dict[str, str]:
    """Return the labels that say what a rule asks, for alerts of missing data and errors."""
    asked = [query for query in rule.queries if not is_expression(query)]
    uids = [_uid(org, query.get("datasource", "")) for query in asked]
    return {
        "datasource_uid": ",".join(dict.fromkeys(uids)),
        "ref_id": ",".join(query["ref_id"] for query in asked),
    }


def _uid(org: models.Model, ref: str) -> str:
    try:
        return datasource_resolve(org=org, ref=ref).uid
    except NotFoundError:
        return ref


def queries_problems(org: models.Model, queries: Sequence[Mapping[str, Any]]) -> Problems:
    """Return what the org's datasources find wrong with queries of valid shape, per field."""
    problems: Problems = {}
    request = read_request(queries_document(queries, at_ms=10**12, timeout="1s"), now_ms=10**12)
    for place, query in enumerate(request.queries):
        if query.is_expression:
            continue
        found = query_problem(org=org, query=query)
        if found is not None:
            field, message = found
            problems[f"queries[{place}].{field}"] = [message]
    return problems


def queries_require(
    *, org: models.Model, access: Access, queries: Sequence[Mapping[str, Any]]
) -> None:
    """Raise ForbiddenError unless the caller may ask every datasource of some queries."""
    for query in queries:
        if is_expression(query):
            continue
        row = datasource_resolve(org=org, ref=query.get("datasource", "")).row
        if not access.allows(PERMISSION, row):
            raise ForbiddenError(
                f"A rule asks the datasource {row.name!r} in your name: "
                f"you need the permission {PERMISSION} for it."
            )
