"""Somebody who asks Prometheus' API of an org with a key."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from django.test import Client

from apps.orgs.models import Org
from detectviz.promql.memory_store import MemoryStore
from detectviz.tsdb.interface import Sample
from tests.factories.accounts import make_api_key, make_bound_member

NOW_S = 1_700_000_000


@dataclass(frozen=True, kw_only=True)
class Asker:
    """Sends requests with a key of one org."""

    org: Org
    client: Client
    store: MemoryStore

    def put(self, value: float, *, at_s: float = NOW_S, **labels: str) -> None:
        """Store one sample of ``up`` (or of the ``__name__`` given)."""
        labels = {"__name__": "up", **labels}
        self.store.append(self.org.uid, [Sample(labels, round(at_s * 1000), value)])

    def send(self, method: str, path: str, **parameters: Any) -> Any:
        """Send parameters in the address, or as a form; return the response."""
        address = f"/orgs/{self.org.name}/prometheus/{path}"
        ask: Callable[..., Any] = getattr(self.client, method)
        return ask(address, _named(parameters))

    def get(self, path: str, status: int = 200, **parameters: Any) -> Any:
        """Return the JSON answered."""
        return self._read(self.send("get", f"api/v1/{path}", **parameters), status)

    def post(self, path: str, status: int = 200, **parameters: Any) -> Any:
        """Return the JSON answered to a form."""
        return self._read(self.send("post", f"api/v1/{path}", **parameters), status)

    def _read(self, response: Any, status: int) -> Any:
        assert response.status_code == status, response.content
        return orjson.loads(response.content)


def _named(parameters: dict[str, Any]) -> dict[str, Any]:
    return {"match[]" if name == "match" else name: value for name, value in parameters.items()}


def make_asker(org: Org, store: MemoryStore, *scopes: str, role: str = "admin") -> Asker:
    """Return somebody with a role in ``org`` and a key of these scopes."""
    user = make_bound_member(org, f"{org.name}-{role}-{len(scopes)}", role)
    key = make_api_key(org, user, *scopes, name=f"key-{role}-{len(scopes)}")
    headers = {"Authorization": f"Bearer {key.token}"}
    return Asker(org=org, client=Client(headers=headers), store=store)
