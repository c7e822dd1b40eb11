"""One URL set per registered kind, with its own view classes so that OpenAPI tells them apart."""

from typing import Any, TypeVar

from django.urls import URLPattern, path
from drf_spectacular.utils import extend_schema, extend_schema_view

from detectviz.resources.api.schema import envelope_serializers, list_parameters
from detectviz.resources.api.views import (
    ApplyView,
    CollectionView,
    DiscoveryView,
    ExportView,
    GroupsView,
    ItemView,
    ResourceView,
    SubresourceView,
    UnknownPathView,
)
from detectviz.resources.registry import ResourceKind, Subresource, registry

V = TypeVar("V", bound=ResourceView)


def resource_urlpatterns() -> list[URLPattern]:
    """Return the URLs below ``/apis/`` for everything registered."""
    patterns = [
        path("", GroupsView.as_view(), name="discovery"),
        path("orgs/<str:org>/apply", ApplyView.as_view(), name="apply"),
        path("orgs/<str:org>/export", ExportView.as_view(), name="export"),
    ]
    for kind in registry:
        patterns += _kind_patterns(kind)
    patterns.append(path("<str:group>/<str:version>", DiscoveryView.as_view(), name="group"))
    patterns.append(path("<path:rest>", UnknownPathView.as_view(), name="unknown"))
    return patterns


def _kind_patterns(kind: ResourceKind[Any]) -> list[URLPattern]:
    base = f"{kind.group}/{kind.version}/orgs/<str:org>/{kind.plural}"
    collection = _collection_class(kind).as_view()
    patterns = [path(base, collection, name=f"{kind.plural}-list")]
    for item in kind.subresources:
        prefix = base if item.is_collection else f"{base}/<str:name>"
        view = _subresource_class(kind, item).as_view()
        patterns.append(path(f"{prefix}/{item.name}", view, name=f"{kind.plural}-{item.name}"))
    patterns.append(
        path(f"{base}/<str:name>", _item_class(kind).as_view(), name=f"{kind.plural}-detail")
    )
    return patterns


def _collection_class(kind: ResourceKind[Any]) -> type[CollectionView]:
    envelope, listing = envelope_serializers(kind)
    methods = {"get": "list" in kind.verbs, "post": "create" in kind.verbs}
    cls = type(f"{kind.kind}CollectionView", (CollectionView,), {"kind": kind, **_allowed(methods)})
    tags = [kind.api_version]
    schemas = {
        "get": extend_schema(
            operation_id=f"list_{kind.plural}",
            responses=listing,
            parameters=list_parameters(kind),
            tags=tags,
        ),
        "post": extend_schema(
            operation_id=f"create_{kind.plural}",
            request=envelope,
            responses={201: envelope},
            tags=tags,
        ),
    }
    return _described(cls, schemas)


def _item_class(kind: ResourceKind[Any]) -> type[ItemView]:
    envelope, _ = envelope_serializers(kind)
    can_write = bool({"create", "update"} & kind.verbs)
    methods = {
        "get": "get" in kind.verbs,
        "put": can_write,
        "patch": "update" in kind.verbs,
        "delete": "delete" in kind.verbs,
    }
    cls = type(f"{kind.kind}ItemView", (ItemView,), {"kind": kind, **_allowed(methods)})
    tags = [kind.api_version]
    schemas = {
        "get": extend_schema(operation_id=f"read_{kind.plural}", responses=envelope, tags=tags),
        "put": extend_schema(
            operation_id=f"put_{kind.plural}", request=envelope, responses=envelope, tags=tags
        ),
        "patch": extend_schema(
            operation_id=f"patch_{kind.plural}", request=envelope, responses=envelope, tags=tags
        ),
        "delete": extend_schema(
            operation_id=f"delete_{kind.plural}", responses={204: None}, tags=tags
        ),
    }
    return _described(cls, schemas)


def _subresource_class(kind: ResourceKind[Any], item: Subresource) -> type[SubresourceView]:
    method = item.method.lower()
    name = f"{kind.kind}{item.name.title().replace('-', '')}View"
    cls = type(
        name,
        (SubresourceView,),
        {"kind": kind, "subresource": item, "http_method_names": [method, "options"]},
    )
    schema = extend_schema(
        operation_id=f"{kind.plural}_{item.name}".replace("-", "_"),
        request=item.request,
        responses=dict,
        summary=item.summary,
        tags=[kind.api_version],
    )
    return extend_schema_view(**{method: schema})(cls)


def _described(cls: type[V], schemas: dict[str, Any]) -> type[V]:
    """Describe the methods the kind has."""
    allowed = set(vars(cls)["http_method_names"])
    return extend_schema_view(**{key: value for key, value in schemas.items() if key in allowed})(
        cls
    )


def _allowed(methods: dict[str, bool]) -> dict[str, list[str]]:
    return {"http_method_names": [name for name, on in methods.items() if on] + ["head", "options"]}
