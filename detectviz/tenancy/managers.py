"""Querysets that refuse to run without an org."""

from typing import Any, Generic, NoReturn, TypeVar

from django.db import models

M = TypeVar("M", bound=models.Model)


class UnscopedQueryError(RuntimeError):
    """Org-owned rows were asked for without naming an org."""


class OrgManager(models.Manager[M], Generic[M]):
    """The ``objects`` of an org-owned model: every query starts from an org."""

    def for_org(self, org: models.Model | int) -> models.QuerySet[M]:
        """Return the rows of one org (a model instance or its primary key)."""
        org_id = org if isinstance(org, int) else org.pk
        return super().get_queryset().filter(org_id=org_id)

    def across_orgs(self, *, reason: str) -> models.QuerySet[M]:
        """Return the rows of all orgs; ``reason`` tells the reader why that is right here."""
        if not reason:
            raise UnscopedQueryError("Say why this query crosses orgs.")
        return super().get_queryset()

    def create_for(self, org: models.Model, **fields: Any) -> M:
        """Create a row owned by ``org``."""
        return super().get_queryset().create(org=org, **fields)

    def get_queryset(self) -> NoReturn:
        """Refuse: there is no unscoped query."""
        raise UnscopedQueryError(
            f"{self.model.__name__}: start from an org with objects.for_org(org), or say why not "
            "with objects.across_orgs(reason=…)."
        )
