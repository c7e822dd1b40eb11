"""The same operations on this machine's database or, with ``--url``, on a remote server."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import orjson

from detectviz.contracts.network import HttpRequest
from detectviz.net.guard import EgressPolicy
from detectviz.net.http import SyncHttpClient
from detectviz.resources.envelope import envelope_of
from detectviz.resources.errors import DomainError, NotFoundError
from detectviz.resources.formats import Exported, Loss, foreign_export
from detectviz.resources.manifests import Change, manifests_export, text_apply
from detectviz.resources.registry import ResourceKind, registry
from detectviz.resources.selectors import ListQuery, resource_list
from detectviz.resources.services import resource_delete
from detectviz.settings import env
from detectviz.tenancy.selectors import org_get

PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What applying did, and what of foreign formats was not carried over."""

    changes: Sequence[Change]
    losses: Sequence[Loss] = ()


class Client(Protocol):
    """What the command line needs of a deployment."""

    def apply(
        self,
        org: str,
        text: str,
        *,
        is_dry_run: bool,
        prune: bool,
        datasources: Mapping[str, str],
    ) -> Applied:
        """Apply manifests."""

    def list_all(self, org: str, kind: ResourceKind[Any]) -> list[dict[str, Any]]:
        """Return every envelope of a kind."""

    def get(self, org: str, kind: ResourceKind[Any], name: str) -> dict[str, Any]:
        """Return one envelope."""

    def delete(self, org: str, kind: ResourceKind[Any], name: str) -> None:
        """Delete one object."""

    def export(self, org: str) -> list[dict[str, Any]]:
        """Return everything as manifests."""

    def export_as(self, org: str, format_name: str) -> Exported:
        """Return what a foreign format can say."""


def client() -> Client:
    """Return the remote client when ``--url`` or ``DETECTVIZ_URL`` is given, else the local one."""
    url = env.text("DETECTVIZ_URL")
    return RemoteClient(url, env.text("DETECTVIZ_API_KEY")) if url else LocalClient()


def kind_named(text: str) -> ResourceKind[Any]:
    """Find a kind by kind, plural or singular, whatever the case."""
    wanted = text.lower()
    for kind in registry:
        if wanted in {kind.kind.lower(), kind.plural}:
            return kind
    known = ", ".join(sorted(kind.plural for kind in registry))
    raise NotFoundError(f"There is no kind {text!r}. Known: {known}.")


class LocalClient:
    """Works on this machine's database as its operator."""

    def apply(
        self,
        org: str,
        text: str,
        *,
        is_dry_run: bool,
        prune: bool,
        datasources: Mapping[str, str],
    ) -> Applied:
        """Apply in one transaction."""
        found = text_apply(
            org=_local_org(org),
            actor=None,
            access=None,
            text=text,
            is_dry_run=is_dry_run,
            prune=prune,
            datasources=datasources,
        )
        return Applied(changes=found.changes, losses=found.reading.losses)

    def list_all(self, org: str, kind: ResourceKind[Any]) -> list[dict[str, Any]]:
        """Return every envelope of a kind."""
        owner = _local_org(org)
        envelopes: list[dict[str, Any]] = []
        query = ListQuery(limit=PAGE)
        while True:
            page = resource_list(kind, kind.queryset(owner), query)
            envelopes += [envelope_of(kind, row) for row in page.rows]
            if not page.continue_token:
                return envelopes
            query = ListQuery(limit=PAGE, continue_token=page.continue_token)

    def get(self, org: str, kind: ResourceKind[Any], name: str) -> dict[str, Any]:
        """Return one envelope."""
        row = kind.queryset(_local_org(org)).filter(name=name).first()
        if row is None:
            raise NotFoundError(f"There is no {kind.kind} {name!r} in {org!r}.")
        return envelope_of(kind, row)

    def delete(self, org: str, kind: ResourceKind[Any], name: str) -> None:
        """Delete one object."""
        resource_delete(kind, org=_local_org(org), actor=None, name=name)

    def export(self, org: str) -> list[dict[str, Any]]:
        """Return everything as manifests."""
        return manifests_export(org=_local_org(org), access=None, kinds=set())

    def export_as(self, org: str, format_name: str) -> Exported:
        """Return what a foreign format can say."""
        return foreign_export(org=_local_org(org), access=None, format_name=format_name)


class RemoteClient:
    """Speaks REST with an API key."""

    def __init__(self, url: str, api_key: str) -> None:
        self._url = url.rstrip("/")
        self._api_key = api_key
        # The operator typed this address; nothing here follows what a stranger wrote.
        self._http = SyncHttpClient(EgressPolicy(allow_private=True))

    def apply(
        self,
        org: str,
        text: str,
        *,
        is_dry_run: bool,
        prune: bool,
        datasources: Mapping[str, str],
    ) -> Applied:
        """Apply in one transaction of the server."""
        asked = {"dry_run": str(is_dry_run).lower(), "prune": str(prune).lower()}
        pairs = [f"{uid}={name}" for uid, name in datasources.items()]
        query = urlencode(asked | {"datasource": pairs}, doseq=True)
        answer = self._call("POST", f"/apis/orgs/{quote(org)}/apply?{query}", text.encode())
        changes = [
            Change(
                action=item["action"],
                api_version=item["apiVersion"],
                kind=item["kind"],
                name=item["name"],
                before=item["before"],
                after=item["after"],
            )
            for item in answer["changes"]
        ]
        losses = [Loss.of_json(item) for item in answer.get("losses", ())]
        return Applied(changes=changes, losses=losses)

    def list_all(self, org: str, kind: ResourceKind[Any]) -> list[dict[str, Any]]:
        """Return every envelope of a kind."""
        envelopes: list[dict[str, Any]] = []
        token = ""
        while True:
            query = urlencode({"limit": PAGE, "continue": token})
            answer = self._call("GET", f"{self._path(org, kind)}?{query}")
            envelopes += answer["items"]
            token = answer["metadata"]["continue"]
            if not token:
                return envelopes

    def get(self, org: str, kind: ResourceKind[Any], name: str) -> dict[str, Any]:
        """Return one envelope."""
        return self._call("GET", f"{self._path(org, kind)}/{quote(name)}")

    def delete(self, org: str, kind: ResourceKind[Any], name: str) -> None:
        """Delete one object."""
        self._call("DELETE", f"{self._path(org, kind)}/{quote(name)}")

    def export(self, org: str) -> list[dict[str, Any]]:
        """Return everything as manifests."""
        items: list[dict[str, Any]] = self._call("GET", f"/apis/orgs/{quote(org)}/export")["items"]
        return items

    def export_as(self, org: str, format_name: str) -> Exported:
        """Return what a foreign format can say."""
        answer = self._call(
            "GET", f"/apis/orgs/{quote(org)}/export?{urlencode({'as': format_name})}"
        )
        losses = [Loss.of_json(item) for item in answer["losses"]]
        return Exported(document=answer["document"], losses=losses)

    def _path(self, org: str, kind: ResourceKind[Any]) -> str:
        return f"/apis/{kind.api_version}/orgs/{quote(org)}/{kind.plural}"

    def _call(self, method: str, path: str, body: bytes = b"") -> dict[str, Any]:
        response = self._http.fetch(
            HttpRequest(
                url=self._url + path,
                method=method,
                headers=(
                    ("Authorization", f"Bearer {self._api_key}"),
                    ("Content-Type", "application/yaml"),
                    ("Accept", "application/json"),
                ),
                body=body,
                timeout_s=60,
                max_body_bytes=64 * 1024 * 1024,
                follow_redirects=False,
            )
        )
        answer = _decoded(response.body)
        if response.status_code >= 400:  # noqa: PLR2004 - HTTP's own boundary
            detail = answer.get("detail") or response.body[:200].decode(errors="replace")
            fields = "".join(
                f"\n  {item['field']}: {item['message']}" for item in answer.get("errors", ())
            )
            raise DomainError(f"{method} {path}: {response.status_code} {detail}{fields}")
        return dict(answer)


def _decoded(body: bytes) -> Mapping[str, Any]:
    try:
        decoded = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError:
        return {}
    return decoded if isinstance(decoded, dict) else {}


def _local_org(name: str) -> Any:
    org = org_get(name=name)
    if org is None:
        raise NotFoundError(f"There is no org {name!r}.")
    return org
