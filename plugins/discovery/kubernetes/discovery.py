"""Targets from the objects of a Kubernetes cluster."""

import asyncio
from collections.abc import Sequence
from typing import Final

from detectviz.contracts.config import get_bool, get_object, get_text
from detectviz.contracts.discovery import DiscoveryContext, TargetGroup
from detectviz.contracts.errors import PluginError
from detectviz.contracts.http_options import HttpFetcher
from plugins.discovery.kubernetes.backends import endpoints_group, slice_group
from plugins.discovery.kubernetes.labels import Related
from plugins.discovery.kubernetes.listing import Cluster
from plugins.discovery.kubernetes.reading import Part
from plugins.discovery.kubernetes.roles import ingress_group, node_group, pod_group, service_group

_WITH_NODES: Final = frozenset({"pod", "endpoints", "endpointslice"})
_BEHIND_SERVICES: Final = frozenset({"endpoints", "endpointslice"})


class KubernetesDiscovery:
    """Lists objects and makes them targets, as Prometheus' kubernetes_sd_configs."""

    def __init__(self) -> None:
        self._fetcher = HttpFetcher()

    async def discover(self, context: DiscoveryContext) -> Sequence[TargetGroup]:
        """Return one group per object; raise PluginError naming the field that is wrong."""
        role = get_text(context.config, "role")
        attached = get_object(context.config, "attach_metadata")
        with_nodes = role in _WITH_NODES and get_bool(attached, "node")
        cluster = Cluster.read(context, self._fetcher, with_nodes=with_nodes)
        wanted = [role]
        wanted += ["pod", "service"] if role in _BEHIND_SERVICES else []
        wanted += ["node"] if with_nodes else []
        try:
            async with asyncio.timeout(context.timeout_s), asyncio.TaskGroup() as tasks:
                lists = {each: tasks.create_task(cluster.objects(each)) for each in wanted}
        except TimeoutError:
            message = f"The API server did not answer within {context.timeout_s:g} s."
            raise PluginError(message) from None
        except ExceptionGroup as errors:
            raise _first(errors) from None
        objects = {each: task.result() for each, task in lists.items()}
        return _groups(role, objects)


def _first(error: Exception) -> Exception:
    return _first(error.exceptions[0]) if isinstance(error, ExceptionGroup) else error


def _groups(role: str, objects: dict[str, list[Part]]) -> list[TargetGroup]:
    items = objects[role]
    related = Related.of(
        pods=objects["pod"] if role in _BEHIND_SERVICES else (),
        services=objects["service"] if role in _BEHIND_SERVICES else (),
        nodes=objects.get("node", ()) if role in _WITH_NODES else (),
    )
    match role:
        case "node":
            return [group for each in items if (group := node_group(each)) is not None]
        case "service":
            return [service_group(each) for each in items]
        case "pod":
            return [pod_group(each, related) for each in items]
        case "endpoints":
            return [endpoints_group(each, related) for each in items]
        case "endpointslice":
            return [slice_group(each, related) for each in items]
        case _:
            return [ingress_group(each) for each in items]
