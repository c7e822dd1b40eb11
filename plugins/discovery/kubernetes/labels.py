"""Labels that describe one object, wherever it appears. Names as Prometheus documents them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from plugins.discovery.kubernetes.reading import Part

META: Final = "__meta_kubernetes_"
NAMESPACE: Final = "__meta_kubernetes_namespace"
ADDRESS: Final = "__address__"
_TRUE: Final = "true"

LabelMap = dict[str, str]
Key = tuple[str, str]


def key_of(item: Part) -> Key:
    """Return what an object is referred to by: namespace and name."""
    return item.namespace(), item.name()


def joined(host: str, port: int) -> str:
    """Return ``host:port``, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def legal(name: str) -> str:
    """Return ``name`` with every character that labels can't have made an underscore."""
    return "".join(
        each if each.isascii() and (each.isalnum() or each == "_") else "_" for each in name
    )


def object_labels(item: Part, kind: str) -> LabelMap:
    """Return name, labels and annotations of an object as ``__meta_kubernetes_<kind>_…``."""
    found = {f"{META}{kind}_name": item.name()}
    metadata = item.part("metadata")
    for singular, plural in (("label", "labels"), ("annotation", "annotations")):
        for name, value in metadata.text_map(plural).items():
            found[f"{META}{kind}_{singular}_{legal(name)}"] = value
            found[f"{META}{kind}_{singular}present_{legal(name)}"] = _TRUE
    return found


def service_labels(service: Part) -> LabelMap:
    """Return the labels of everything that belongs to a service."""
    return {NAMESPACE: service.namespace(), **object_labels(service, "service")}


def pod_labels(pod: Part) -> LabelMap:
    """Return the labels of everything that belongs to a pod; its namespace is the group's."""
    status, spec = pod.part("status"), pod.part("spec")
    found = {
        **object_labels(pod, "pod"),
        f"{META}pod_ip": status.text("podIP"),
        f"{META}pod_ready": _readiness(status),
        f"{META}pod_phase": status.text("phase"),
        f"{META}pod_node_name": spec.text("nodeName"),
        f"{META}pod_host_ip": status.text("hostIP"),
        f"{META}pod_uid": pod.part("metadata").text("uid"),
    }
    for owner in pod.part("metadata").parts("ownerReferences"):
        if owner.flag("controller"):
            found[f"{META}pod_controller_kind"] = owner.text("kind")
            found[f"{META}pod_controller_name"] = owner.text("name")
    return found


def _readiness(status: Part) -> str:
    for condition in status.parts("conditions"):
        if condition.text("type") == "Ready":
            return condition.text("status").lower()
    return "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    """Objects that targets of another role refer to."""

    pods: Mapping[Key, Part] = field(default_factory=dict)
    services: Mapping[Key, Part] = field(default_factory=dict)
    nodes: Mapping[str, Part] = field(default_factory=dict)

    @classmethod
    def of(
        cls, *, pods: Iterable[Part] = (), services: Iterable[Part] = (), nodes: Iterable[Part] = ()
    ) -> "Related":
        """Index the objects by what they are referred to by."""
        return cls(
            pods={key_of(each): each for each in pods},
            services={key_of(each): each for each in services},
            nodes={each.name(): each for each in nodes},
        )

    def node_labels(self, name: str) -> LabelMap:
        """Return name and labels of the node ``name``, nothing when it isn't attached."""
        node = self.nodes.get(name)
        if node is None:
            return {}
        found = {f"{META}node_name": name}
        for label, value in node.part("metadata").text_map("labels").items():
            found[f"{META}node_label_{legal(label)}"] = value
            found[f"{META}node_labelpresent_{legal(label)}"] = _TRUE
        return found

    def pod(self, reference: Part) -> Part | None:
        """Return the pod that ``reference`` names."""
        if reference.text("kind") != "Pod":
            return None
        return self.pods.get((reference.text("namespace"), reference.text("name")))

    def service_labels(self, namespace: str, name: str) -> LabelMap:
        """Return the labels of the service ``name``, nothing when there is none."""
        service = self.services.get((namespace, name))
        return service_labels(service) if service is not None else {}
