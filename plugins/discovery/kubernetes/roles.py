"""Targets of the roles whose objects stand for themselves: node, service, pod, ingress."""

from collections.abc import Iterator
from typing import Final

from detectviz.contracts.discovery import TargetGroup
from plugins.discovery.kubernetes.labels import (
    ADDRESS,
    META,
    NAMESPACE,
    LabelMap,
    Related,
    joined,
    legal,
    object_labels,
    pod_labels,
    service_labels,
)
from plugins.discovery.kubernetes.reading import Part

_ADDRESS_ORDER: Final = ("InternalIP", "ExternalIP", "LegacyHostIP", "Hostname")


def node_group(node: Part) -> TargetGroup | None:
    """Return the kubelet of a node, None when the node has no address."""
    addresses: LabelMap = {}
    for each in node.part("status").parts("addresses"):
        addresses.setdefault(each.text("type"), each.text("address"))
    host = next((addresses[each] for each in _ADDRESS_ORDER if each in addresses), "")
    if not host:
        return None
    endpoint = node.part("status").part("daemonEndpoints").part("kubeletEndpoint")
    target = {
        ADDRESS: joined(host, endpoint.number("Port") or 0),
        "instance": node.name(),
        **{f"{META}node_address_{legal(kind)}": each for kind, each in addresses.items()},
    }
    labels = {
        **object_labels(node, "node"),
        f"{META}node_provider_id": node.part("spec").text("providerID"),
    }
    return TargetGroup(targets=(target,), labels=labels, source=f"node/{node.name()}")


def service_group(service: Part) -> TargetGroup:
    """Return the ports of a service, addressed by its name in the cluster's DNS."""
    name, namespace, spec = service.name(), service.namespace(), service.part("spec")
    kind = spec.text("type")
    shared = {f"{META}service_type": kind}
    if kind == "ExternalName":
        shared[f"{META}service_external_name"] = spec.text("externalName")
    else:
        shared[f"{META}service_cluster_ip"] = spec.text("clusterIP")
    if kind == "LoadBalancer":
        shared[f"{META}service_loadbalancer_ip"] = spec.text("loadBalancerIP")
    targets = [
        {
            ADDRESS: f"{name}.{namespace}.svc:{port.number('port') or 0}",
            f"{META}service_port_name": port.text("name"),
            f"{META}service_port_number": str(port.number("port") or 0),
            f"{META}service_port_protocol": port.text("protocol"),
            **shared,
        }
        for port in spec.parts("ports")
    ]
    source = f"svc/{namespace}/{name}"
    return TargetGroup(targets=tuple(targets), labels=service_labels(service), source=source)


def pod_group(pod: Part, related: Related) -> TargetGroup:
    """Return the container ports of a pod; a pod without an address has none."""
    namespace = pod.namespace()
    source = f"pod/{namespace}/{pod.name()}"
    host = pod.part("status").text("podIP")
    if not host:
        return TargetGroup(targets=(), source=source)
    labels = {
        NAMESPACE: namespace,
        **pod_labels(pod),
        **related.node_labels(pod.part("spec").text("nodeName")),
    }
    return TargetGroup(targets=tuple(_container_targets(pod, host)), labels=labels, source=source)


def _container_targets(pod: Part, host: str) -> Iterator[LabelMap]:
    spec, status = pod.part("spec"), pod.part("status")
    for name, statuses in (
        ("containers", "containerStatuses"),
        ("initContainers", "initContainerStatuses"),
    ):
        ids = {each.text("name"): each.text("containerID") for each in status.parts(statuses)}
        for container in spec.parts(name):
            shared = {
                f"{META}pod_container_name": container.text("name"),
                f"{META}pod_container_id": ids.get(container.text("name"), ""),
                f"{META}pod_container_image": container.text("image"),
                f"{META}pod_container_init": str(name == "initContainers").lower(),
            }
            ports = container.parts("ports")
            if not ports:
                yield {ADDRESS: host, **shared}
            for port in ports:
                number = port.number("containerPort") or 0
                yield {
                    ADDRESS: joined(host, number),
                    **shared,
                    f"{META}pod_container_port_name": port.text("name"),
                    f"{META}pod_container_port_number": str(number),
                    f"{META}pod_container_port_protocol": port.text("protocol"),
                }


def ingress_group(ingress: Part) -> TargetGroup:
    """Return the paths of an ingress, addressed by the host of their rule."""
    spec = ingress.part("spec")
    labels = {NAMESPACE: ingress.namespace(), **object_labels(ingress, "ingress")}
    if spec.has("ingressClassName"):
        labels[f"{META}ingress_class_name"] = spec.text("ingressClassName")
    secure = [host for each in spec.parts("tls") for host in each.texts("hosts")]
    targets = []
    for rule in spec.parts("rules"):
        host = rule.text("host")
        is_secure = any(_covers(pattern, host) for pattern in secure)
        paths = [each.text("path") or "/" for each in rule.part("http").parts("paths")]
        targets += [
            {
                ADDRESS: host,
                f"{META}ingress_scheme": "https" if is_secure else "http",
                f"{META}ingress_host": host,
                f"{META}ingress_path": path,
            }
            for path in (paths if rule.has("http") else ["/"])
        ]
    source = f"ingress/{ingress.namespace()}/{ingress.name()}"
    return TargetGroup(targets=tuple(targets), labels=labels, source=source)


def _covers(pattern: str, host: str) -> bool:
    """Return whether a host of a TLS section, ``*.example.org`` too, stands for ``host``."""
    if pattern == host:
        return True
    first, _, rest = pattern.partition(".")
    return first == "*" and bool(rest) and host.partition(".")[2] == rest
