"""What an app says about a resource kind, and the registry it says it to."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from django.db import models
from django.http import HttpRequest, HttpResponseBase
from rest_framework import serializers

from detectviz.contracts.types import JsonObject
from detectviz.resources.models import ResourceModel

M = TypeVar("M", bound=ResourceModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Write(Generic[M]):
    """A validated write. ``instance`` is None on create, else locked for this transaction."""

    org: models.Model
    actor: models.Model | None
    name: str
    labels: Mapping[str, str]
    folder: models.Model | None
    spec: Mapping[str, Any]
    instance: M | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subresource:
    """An extra path below an object, such as ``…/monitors/{name}/run``.

    ``handler`` receives (request, org, object) and returns plain data (rendered by the API) or a
    response of its own; ``permission`` is the action checked on the object. One that changes the
    object says ``is_act``, unless its service tells audit by itself.
    """

    name: str
    method: str
    permission: str
    handler: Callable[[HttpRequest, Any, Any], JsonObject | HttpResponseBase]
    request: type[serializers.Serializer[Any]] | None = None
    summary: str = ""
    is_collection: bool = False  # below …/{resource}, not below one object
    is_act: bool = False  # changes the object: done locked, and written down for audit


class ResourceKind(ABC, Generic[M]):
    """One resource kind, registered once.

    From it follow REST CRUD, list filters, OpenAPI, permissions, YAML apply/diff/export, audit
    and documentation. ``permission`` names the row of the permission table: reading needs
    ``<permission>:read``, then ``create``, ``update``, ``delete``.
    """

    group: ClassVar[str]
    version: ClassVar[str] = "v1"
    kind: ClassVar[str]
    plural: ClassVar[str]
    model: ClassVar[type[ResourceModel]]
    permission: ClassVar[str]
    spec_serializer: ClassVar[type[serializers.Serializer[Any]]]
    verbs: ClassVar[frozenset[str]] = frozenset({"list", "get", "create", "update", "delete"})
    singleton_name: ClassVar[str] = ""  # the only name allowed, for one-per-org kinds
    search_fields: ClassVar[tuple[str, ...]] = ("name", "title")
    field_selectors: ClassVar[Mapping[str, str]] = {}  # public path → ORM lookup
    subresources: ClassVar[tuple[Subresource, ...]] = ()
    apply_order: ClassVar[int] = 50  # lower is applied first (folders 10, contact points 40 …)

    @property
    def api_version(self) -> str:
        """The envelope's ``apiVersion``."""
        return f"{self.group}/{self.version}"

    def queryset(self, org: models.Model) -> "models.QuerySet[M]":
        """Return the org's rows with what to_spec and to_status read, prefetched."""
        rows: models.QuerySet[M] = self.model.objects.for_org(org).select_related("org")
        return rows.select_related("folder") if self.has_folder else rows

    def load(self, rows: Sequence[M]) -> None:
        """Fetch, for the rows of one page together, what no join of ``queryset`` can."""

    @property
    def has_folder(self) -> bool:
        """Say whether rows of this kind can lie in a folder."""
        return any(field.name == "folder" for field in self.model._meta.get_fields())

    def serializer_context(self, org: models.Model, instance: M | None) -> dict[str, Any]:
        """Return what the spec serializer may need beyond its data (org, instance)."""
        return {"org": org, "instance": instance}

    @abstractmethod
    def to_spec(self, instance: M) -> dict[str, Any]:
        """Return the spec as written, defaults filled, secrets as ``{"set": true}``."""

    def to_status(self, instance: M) -> dict[str, Any]:
        """Return the server-owned status."""
        return {}

    def to_top(self, instance: M) -> dict[str, Any]:
        """Return fields to show beside ``metadata``, where a program expects them flat."""
        return {}

    @abstractmethod
    def write(self, change: Write[M]) -> M:
        """Create or update the row from a validated spec; call the app's service.

        Called inside a transaction. The framework sets labels, folder, versions, audit and events.
        """

    def extra_answer(self, instance: M) -> dict[str, Any]:
        """Return what only the answer to a write may show (a new key's secret)."""
        return {}

    def remove(self, instance: M, *, actor: models.Model | None) -> None:
        """Delete the row; raise ResourceInUseError when something still refers to it."""
        instance.delete()


@dataclass(slots=True)
class Registry:
    """All registered kinds; frozen once the apps are loaded."""

    kinds: dict[tuple[str, str, str], ResourceKind[Any]] = field(default_factory=dict)
    is_frozen: bool = False

    def register(self, kind: ResourceKind[Any]) -> None:
        """Add a kind; a second registration or a late one is a programming error."""
        key = (kind.group, kind.version, kind.kind)
        if self.is_frozen or key in self.kinds:
            raise RuntimeError(f"{kind.api_version} {kind.kind} is registered twice or too late.")
        self.kinds[key] = kind

    def by_kind(self, api_version: str, kind: str) -> ResourceKind[Any] | None:
        """Return the kind an envelope names, or None."""
        group, _, version = api_version.partition("/")
        return self.kinds.get((group, version, kind))

    def by_plural(self, group: str, version: str, plural: str) -> ResourceKind[Any] | None:
        """Return the kind a URL names, or None."""
        for kind in self:
            if (kind.group, kind.version, kind.plural) == (group, version, plural):
                return kind
        return None

    def __iter__(self) -> Iterator[ResourceKind[Any]]:
        """Iterate in order of application."""
        return iter(sorted(self.kinds.values(), key=lambda kind: (kind.apply_order, kind.kind)))


registry = Registry()
