"""A stand-in for the API server of a cluster.

Not a recording of a real cluster: shapes and fields are written after the public reference of the
Kubernetes API (core/v1, discovery.k8s.io/v1, networking.k8s.io/v1), lists come in pages with
``metadata.continue``, and errors are ``Status`` objects.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs

from detectviz.testing.http_server import Answer, ReceivedRequest, json_answer

TOKEN: Final = "a-token-of-a-service-account"
KINDS: Final = {
    "/api/v1/nodes": "NodeList",
    "/api/v1/services": "ServiceList",
    "/api/v1/pods": "PodList",
    "/api/v1/endpoints": "EndpointsList",
    "/apis/discovery.k8s.io/v1/endpointslices": "EndpointSliceList",
    "/apis/networking.k8s.io/v1/ingresses": "IngressList",
}
Objects = list[Any]


def status(code: int, message: str) -> Answer:
    """Answer as the API refuses."""
    value = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message}
    return json_answer({**value, "code": code}, status=code)


@dataclass(slots=True)
class Cluster:
    """Objects by the resource's name, and what was asked."""

    objects: dict[str, Objects] = field(default_factory=dict)
    page: int = 2
    forbidden: frozenset[str] = frozenset()
    asked: list[tuple[str, Mapping[str, list[str]]]] = field(default_factory=list)

    def respond(self, request: ReceivedRequest) -> Answer:
        """Answer a list request."""
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return status(401, "Unauthorized")
        query = parse_qs(request.query)
        self.asked.append((request.path, query))
        prefix, _, rest = request.path.partition("/namespaces/")
        namespace, _, resource = rest.partition("/")
        path = f"{prefix}/{resource}" if rest else request.path
        resource = path.rpartition("/")[2]
        if path not in KINDS:
            return status(404, "the server could not find the requested resource")
        if resource in self.forbidden:
            return status(403, f'{resource} is forbidden: User "x" cannot list resource')
        items = [
            each
            for each in self.objects.get(resource, [])
            if not rest or each["metadata"]["namespace"] == namespace
        ]
        start = int(query.get("continue", ["0"])[0])
        end = start + min(self.page, int(query["limit"][0]))
        metadata = {"resourceVersion": "1042"}
        if end < len(items):
            metadata |= {"continue": str(end)}
        return json_answer(
            {
                "kind": KINDS[path],
                "apiVersion": prefix.rpartition("/apis/")[2],
                "metadata": metadata,
                "items": items[start:end],
            }
        )


def node(name: str = "node-1", **more: Any) -> Any:
    """Return a node as ``kubectl get node -o json`` shows it, shortened."""
    return {
        "metadata": {
            "name": name,
            "uid": "5bd5b5d5-0000-4000-8000-000000000001",
            "labels": {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": "a"},
            "annotations": {"node.alpha.kubernetes.io/ttl": "0"},
        },
        "spec": {"podCIDR": "10.244.0.0/24", "providerID": f"kind://docker/kind/{name}"},
        "status": {
            "addresses": [
                {"type": "Hostname", "address": name},
                {"type": "InternalIP", "address": "10.0.0.1"},
                {"type": "InternalIP", "address": "fd00::1"},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": {"kubeletVersion": "v1.31.0"},
        },
        **more,
    }


def service(name: str = "shop", **spec: Any) -> Any:
    """Return a service."""
    return {
        "metadata": {
            "name": name,
            "namespace": "web",
            "labels": {"app.kubernetes.io/name": "shop"},
            "annotations": {"prometheus.io/scrape": "true"},
        },
        "spec": {
            "type": "ClusterIP",
            "clusterIP": "10.96.0.10",
            "selector": {"app": "shop"},
            "ports": [
                {"name": "http", "protocol": "TCP", "port": 80, "targetPort": "http"},
                {"name": "metrics", "protocol": "TCP", "port": 9100, "targetPort": 9100},
            ],
            **spec,
        },
        "status": {"loadBalancer": {}},
    }


def pod(name: str = "shop-1", ip: str = "10.244.0.7") -> Any:
    """Return a pod with a container of two ports, one without, and an init container."""
    return {
        "metadata": {
            "name": name,
            "namespace": "web",
            "uid": f"uid-of-{name}",
            "labels": {"app": "shop", "pod-template-hash": "5d8f"},
            "annotations": {"prometheus.io/port": "9100"},
            "ownerReferences": [
                {"kind": "Job", "name": "other", "uid": "1", "apiVersion": "batch/v1"},
                {
                    "kind": "ReplicaSet",
                    "name": "shop-5d8f",
                    "uid": "2",
                    "apiVersion": "apps/v1",
                    "controller": True,
                },
            ],
        },
        "spec": {
            "nodeName": "node-1",
            "containers": [
                {
                    "name": "app",
                    "image": "example.org/shop:1",
                    "ports": [
                        {"name": "http", "containerPort": 8080, "protocol": "TCP"},
                        {"name": "metrics", "containerPort": 9100, "protocol": "TCP"},
                    ],
                },
                {"name": "sidecar", "image": "example.org/log:2"},
            ],
            "initContainers": [{"name": "migrate", "image": "example.org/migrate:3"}],
        },
        "status": {
            "phase": "Running",
            "hostIP": "10.0.0.1",
            "podIP": ip,
            "conditions": [
                {"type": "Initialized", "status": "True"},
                {"type": "Ready", "status": "True"},
            ],
            "containerStatuses": [
                {"name": "app", "containerID": "containerd://aaa", "ready": True},
                {"name": "sidecar", "containerID": "containerd://bbb", "ready": True},
            ],
            "initContainerStatuses": [{"name": "migrate", "containerID": "containerd://ccc"}],
        },
    }


def endpoints(name: str = "shop") -> Any:
    """Return endpoints with a pod that is ready and an address that is not."""
    return {
        "metadata": {"name": name, "namespace": "web", "labels": {"app": "shop"}},
        "subsets": [
            {
                "addresses": [
                    {
                        "ip": "10.244.0.7",
                        "nodeName": "node-1",
                        "hostname": "shop-1",
                        "targetRef": {"kind": "Pod", "name": "shop-1", "namespace": "web"},
                    }
                ],
                "notReadyAddresses": [{"ip": "fd00::9"}],
                "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
            }
        ],
    }


def endpoint_slice(name: str = "shop-abc") -> Any:
    """Return an endpoint slice of the same service."""
    return {
        "metadata": {
            "name": name,
            "namespace": "web",
            "labels": {"kubernetes.io/service-name": "shop"},
            "annotations": {"endpoints.kubernetes.io/last-change-trigger-time": "2026-01-01"},
        },
        "addressType": "IPv4",
        "endpoints": [
            {
                "addresses": ["10.244.0.7"],
                "conditions": {"ready": True, "serving": True, "terminating": False},
                "hostname": "shop-1",
                "nodeName": "node-1",
                "zone": "a",
                "deprecatedTopology": {"kubernetes.io/hostname": "node-1"},
                "targetRef": {"kind": "Pod", "name": "shop-1", "namespace": "web"},
            }
        ],
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP", "appProtocol": "http"}],
    }


def ingress(name: str = "shop") -> Any:
    """Return an ingress with a secure host, a plain one and a rule without paths."""
    backend = {"service": {"name": "shop", "port": {"number": 80}}}
    return {
        "metadata": {"name": name, "namespace": "web", "labels": {"app": "shop"}},
        "spec": {
            "ingressClassName": "nginx",
            "tls": [{"hosts": ["*.example.org"], "secretName": "tls"}],
            "rules": [
                {
                    "host": "shop.example.org",
                    "http": {
                        "paths": [
                            {"path": "/", "pathType": "Prefix", "backend": backend},
                            {"path": "/api", "pathType": "Prefix", "backend": backend},
                        ]
                    },
                },
                {"host": "a.shop.example.org", "http": {"paths": [{"backend": backend}]}},
                {"host": "plain.example.com"},
            ],
        },
    }
