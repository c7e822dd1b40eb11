"""Targets behind services: the roles endpoints and endpointslice."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from detectviz.contracts.discovery import TargetGroup
from plugins.discovery.kubernetes.labels import (
    ADDRESS,
    META,
    NAMESPACE,
    Key,
    LabelMap,
    Related,
    joined,
    key_of,
    legal,
    object_labels,
    pod_labels,
)
from plugins.discovery.kubernetes.reading import Part

_SLICE = f"{META}endpointslice_"
_ENDPOINT = f"{META}endpoint_"


@dataclass(slots=True, kw_only=True)
class _SeenPods:
    """Pods met as endpoints, with the ports that were endpoint ports."""

    related: Related
    pods: dict[Key, tuple[Part, set[int]]] = field(default_factory=dict)

    def labels(self, reference: Part, port: int | None, protocol: str) -> LabelMap:
        """Return the labels of the pod ``reference`` names and of its container with ``port``."""
        pod = self.related.pod(reference)
        if pod is None:
            return {}
        _, ports = self.pods.setdefault(key_of(pod), (pod, set()))
        found = pod_labels(pod)
        if port is None:
            return found
        ports.add(port)
        for container, container_port, is_init in _container_ports(pod):
            if container_port.number("containerPort") == port:
                found |= _container_labels(container, container_port, is_init=is_init)
                found[f"{META}pod_container_port_protocol"] = protocol or container_port.text(
                    "protocol"
                )
        return found

    def further_targets(self) -> Iterator[LabelMap]:
        """Yield the container ports of seen pods that were no endpoint ports."""
        for pod, ports in self.pods.values():
            host = pod.part("status").text("podIP")
            for container, port, is_init in _container_ports(pod) if host else ():
                number = port.number("containerPort") or 0
                if number not in ports:
                    yield {
                        ADDRESS: joined(host, number),
                        **_container_labels(container, port, is_init=is_init),
                        **pod_labels(pod),
                    }


def endpoints_group(endpoints: Part, related: Related) -> TargetGroup:
    """Return addresses with ports of every subset, ready or not, and further ports of pods."""
    namespace, name = endpoints.namespace(), endpoints.name()
    labels = {
        NAMESPACE: namespace,
        **object_labels(endpoints, "endpoints"),
        **related.service_labels(namespace, name),
    }
    seen = _SeenPods(related=related)
    targets = [
        _endpoint_target(address, port, ready, seen)
        for subset in endpoints.parts("subsets")
        for port in subset.parts("ports")
        for section, ready in (("addresses", "true"), ("notReadyAddresses", "false"))
        for address in subset.parts(section)
    ]
    return TargetGroup(
        targets=(*targets, *seen.further_targets()),
        labels=labels,
        source=f"endpoints/{namespace}/{name}",
    )


def _endpoint_target(address: Part, port: Part, ready: str, seen: _SeenPods) -> LabelMap:
    number, protocol = port.number("port") or 0, port.text("protocol")
    reference = address.part("targetRef")
    target = {
        ADDRESS: joined(address.text("ip"), number),
        f"{_ENDPOINT}port_name": port.text("name"),
        f"{_ENDPOINT}port_protocol": protocol,
        f"{_ENDPOINT}ready": ready,
    }
    if address.has("targetRef"):
        target[f"{_ENDPOINT}address_target_kind"] = reference.text("kind")
        target[f"{_ENDPOINT}address_target_name"] = reference.text("name")
    if address.has("nodeName"):
        target[f"{_ENDPOINT}node_name"] = address.text("nodeName")
    if address.text("hostname"):
        target[f"{_ENDPOINT}hostname"] = address.text("hostname")
    return {
        **target,
        **_node_labels(seen.related, reference, address.text("nodeName")),
        **seen.labels(reference, number, protocol),
    }


def slice_group(piece: Part, related: Related) -> TargetGroup:
    """Return addresses with ports of an endpoint slice, and further ports of pods."""
    namespace = piece.namespace()
    service = piece.part("metadata").text_map("labels").get("kubernetes.io/service-name", "")
    labels = {
        NAMESPACE: namespace,
        f"{_SLICE}address_type": piece.text("addressType"),
        **object_labels(piece, "endpointslice"),
        **related.service_labels(namespace, service),
    }
    seen = _SeenPods(related=related)
    targets = [
        _slice_target(address, endpoint, port, seen)
        for endpoint in piece.parts("endpoints")
        for port in piece.parts("ports")
        for address in endpoint.texts("addresses")
    ]
    return TargetGroup(
        targets=(*targets, *seen.further_targets()),
        labels=labels,
        source=f"endpointslice/{namespace}/{piece.name()}",
    )


def _slice_target(address: str, endpoint: Part, port: Part, seen: _SeenPods) -> LabelMap:
    number, reference = port.number("port"), endpoint.part("targetRef")
    target = {ADDRESS: address if number is None else joined(address, number)}
    if number is not None:
        target[f"{_SLICE}port"] = str(number)
    for name, label in (
        ("name", "port_name"),
        ("protocol", "port_protocol"),
        ("appProtocol", "port_app_protocol"),
    ):
        if port.has(name):
            target[f"{_SLICE}{label}"] = port.text(name)
    return {
        **target,
        **_slice_endpoint_labels(endpoint),
        **_node_labels(seen.related, reference, endpoint.text("nodeName")),
        **seen.labels(reference, number, port.text("protocol")),
    }


def _slice_endpoint_labels(endpoint: Part) -> LabelMap:
    found: LabelMap = {}
    conditions = endpoint.part("conditions")
    for name in ("ready", "serving", "terminating"):
        flag = conditions.flag(name)
        if flag is not None:
            found[f"{_SLICE}endpoint_conditions_{name}"] = str(flag).lower()
    for name, label in (("hostname", "hostname"), ("nodeName", "node_name"), ("zone", "zone")):
        if endpoint.has(name):
            found[f"{_SLICE}endpoint_{label}"] = endpoint.text(name)
    if endpoint.has("targetRef"):
        reference = endpoint.part("targetRef")
        found[f"{_SLICE}address_target_kind"] = reference.text("kind")
        found[f"{_SLICE}address_target_name"] = reference.text("name")
    for name, value in endpoint.text_map("deprecatedTopology").items():
        found[f"{_SLICE}endpoint_topology_{legal(name)}"] = value
        found[f"{_SLICE}endpoint_topology_present_{legal(name)}"] = "true"
    return found


def _node_labels(related: Related, reference: Part, node: str) -> LabelMap:
    is_node = reference.text("kind") == "Node"
    return related.node_labels(reference.text("name") if is_node else node)


def _container_ports(pod: Part) -> Iterator[tuple[Part, Part, bool]]:
    spec = pod.part("spec")
    for name in ("containers", "initContainers"):
        for container in spec.parts(name):
            for port in container.parts("ports"):
                yield container, port, name == "initContainers"


def _container_labels(container: Part, port: Part, *, is_init: bool) -> LabelMap:
    return {
        f"{META}pod_container_name": container.text("name"),
        f"{META}pod_container_image": container.text("image"),
        f"{META}pod_container_init": str(is_init).lower(),
        f"{META}pod_container_port_name": port.text("name"),
        f"{META}pod_container_port_number": str(port.number("containerPort") or 0),
        f"{META}pod_container_port_protocol": port.text("protocol"),
    }
