"""The datasources that Grafana's rules name by their uids there, as they are named here."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db import models

from apps.datasources.selectors import datasource_resolve
from detectviz.resources.errors import NotFoundError
from detectviz.resources.targets import TargetError


@dataclass(slots=True, kw_only=True)
class Sources:
    """Names of an org (None: any) by uids of a file; ``asked`` gathers the uids there are."""

    org: models.Model | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)
    asked: dict[str, None] = field(default_factory=dict)

    def require(self) -> None:
        """Raise TargetError when a name is nobody's here."""
        if self.org is None:
            return
        for uid, name in self.renamed.items():
            try:
                datasource_resolve(org=self.org, ref=name)
            except NotFoundError as error:
                message = f"There is no datasource {name!r} here to stand for {uid!r}."
                raise TargetError({"datasource": [message]}) from error

    def of(self, uid: str) -> str:
        """Return what a datasource of the file is called here."""
        if uid:
            self.asked.setdefault(uid)
        return self.renamed.get(uid, uid)
