"""The Kubernetes discovery against a stand-in of the API server, over TLS (see cluster.py)."""

import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from detectviz.contracts.discovery import TargetGroup
from detectviz.contracts.errors import (
    ConfigurationError,
    EgressDeniedError,
    NetworkError,
    PluginError,
)
from detectviz.net.guard import EgressPolicy
from detectviz.net.network import EngineNetwork
from detectviz.testing.http_server import TestAuthority, http_server, json_answer
from tests.plugins.discovery.kubernetes.cluster import (
    TOKEN,
    Cluster,
    endpoint_slice,
    endpoints,
    ingress,
    node,
    pod,
    service,
)

Discover = Callable[..., Awaitable[Sequence[TargetGroup]]]
META = "__meta_kubernetes_"


@pytest.fixture
def cluster() -> Cluster:
    return Cluster(
        objects={
            "nodes": [node()],
            "services": [service()],
            "pods": [pod()],
            "endpoints": [endpoints()],
            "endpointslices": [endpoint_slice()],
            "ingresses": [ingress()],
        }
    )


class Asked:
    """Asks the cluster as the host would."""

    def __init__(self, discover: Discover, authority: TestAuthority, cluster: Cluster) -> None:
        self._discover = discover
        self._authority = authority
        self._cluster = cluster

    async def __call__(self, role: str, **more: Any) -> list[TargetGroup]:
        context = self._authority.server_context()
        with http_server(self._cluster.respond, tls=context) as server:
            config = {
                "api_server": f"{server.url}/",
                "role": role,
                "auth": "authorization",
                "tls_config": {"ca": self._authority.ca_pem},
                **more,
            }
            secrets = {"authorization/credentials": TOKEN}
            return list(await self._discover("kubernetes", config, secrets=secrets))


@pytest.fixture
def ask(discover: Discover, authority: TestAuthority, cluster: Cluster) -> Asked:
    return Asked(discover, authority, cluster)


def stripped(labels: Any) -> dict[str, str]:
    """Return labels without the prefix that all of them have."""
    return {name.removeprefix(META): value for name, value in labels.items()}


async def test_a_node_is_its_kubelet(ask: Asked) -> None:
    (group,) = await ask("node")
    assert group.source == "node/node-1"
    assert [stripped(each) for each in group.targets] == [
        {
            "__address__": "10.0.0.1:10250",
            "instance": "node-1",
            "node_address_Hostname": "node-1",
            "node_address_InternalIP": "10.0.0.1",
        }
    ]
    assert stripped(group.labels) == {
        "node_name": "node-1",
        "node_provider_id": "kind://docker/kind/node-1",
        "node_label_kubernetes_io_hostname": "node-1",
        "node_labelpresent_kubernetes_io_hostname": "true",
        "node_label_topology_kubernetes_io_zone": "a",
        "node_labelpresent_topology_kubernetes_io_zone": "true",
        "node_annotation_node_alpha_kubernetes_io_ttl": "0",
        "node_annotationpresent_node_alpha_kubernetes_io_ttl": "true",
    }


async def test_a_node_without_an_address_is_no_target(ask: Asked, cluster: Cluster) -> None:
    cluster.objects["nodes"] = [node(status={"addresses": []}), node("node-2")]
    groups = await ask("node")
    assert [each.source for each in groups] == ["node/node-2"]


SERVICE_LABELS = {
    "namespace": "web",
    "service_name": "shop",
    "service_label_app_kubernetes_io_name": "shop",
    "service_labelpresent_app_kubernetes_io_name": "true",
    "service_annotation_prometheus_io_scrape": "true",
    "service_annotationpresent_prometheus_io_scrape": "true",
}
POD_LABELS = {
    "pod_name": "shop-1",
    "pod_ip": "10.244.0.7",
    "pod_ready": "true",
    "pod_phase": "Running",
    "pod_node_name": "node-1",
    "pod_host_ip": "10.0.0.1",
    "pod_uid": "uid-of-shop-1",
    "pod_controller_kind": "ReplicaSet",
    "pod_controller_name": "shop-5d8f",
    "pod_label_app": "shop",
    "pod_labelpresent_app": "true",
    "pod_label_pod_template_hash": "5d8f",
    "pod_labelpresent_pod_template_hash": "true",
    "pod_annotation_prometheus_io_port": "9100",
    "pod_annotationpresent_prometheus_io_port": "true",
}
NODE_LABELS = {
    "node_name": "node-1",
    "node_label_kubernetes_io_hostname": "node-1",
    "node_labelpresent_kubernetes_io_hostname": "true",
    "node_label_topology_kubernetes_io_zone": "a",
    "node_labelpresent_topology_kubernetes_io_zone": "true",
}
APP_METRICS = {
    "pod_container_name": "app",
    "pod_container_image": "example.org/shop:1",
    "pod_container_init": "false",
    "pod_container_port_name": "metrics",
    "pod_container_port_number": "9100",
    "pod_container_port_protocol": "TCP",
}
APP_HTTP = {
    **APP_METRICS,
    "pod_container_port_name": "http",
    "pod_container_port_number": "8080",
}


async def test_a_service_is_its_ports_at_its_name(ask: Asked) -> None:
    (group,) = await ask("service")
    assert group.source == "svc/web/shop"
    assert stripped(group.labels) == SERVICE_LABELS
    assert stripped(group.targets[0]) == {
        "__address__": "shop.web.svc:80",
        "service_port_name": "http",
        "service_port_number": "80",
        "service_port_protocol": "TCP",
        "service_type": "ClusterIP",
        "service_cluster_ip": "10.96.0.10",
    }
    assert group.targets[1]["__address__"] == "shop.web.svc:9100"


@pytest.mark.parametrize(
    ("spec", "labels"),
    [
        (
            {"type": "ExternalName", "externalName": "db.example.org", "clusterIP": None},
            {"service_external_name": "db.example.org"},
        ),
        (
            {"type": "LoadBalancer", "loadBalancerIP": "192.0.2.1"},
            {"service_cluster_ip": "10.96.0.10", "service_loadbalancer_ip": "192.0.2.1"},
        ),
    ],
)
async def test_other_types_of_services_have_labels_of_their_own(
    ask: Asked, cluster: Cluster, spec: dict[str, Any], labels: dict[str, str]
) -> None:
    cluster.objects["services"] = [service(**spec)]
    (group,) = await ask("service")
    found = stripped(group.targets[0])
    names = ("service_external_name", "service_cluster_ip", "service_loadbalancer_ip")
    assert {name: found[name] for name in names if name in found} == labels
    assert found["service_type"] == spec["type"]


async def test_a_pod_is_the_ports_of_its_containers(ask: Asked) -> None:
    (group,) = await ask("pod")
    assert group.source == "pod/web/shop-1"
    assert stripped(group.labels) == {"namespace": "web", **POD_LABELS}
    app = {"pod_container_id": "containerd://aaa"}
    assert [stripped(each) for each in group.targets] == [
        {"__address__": "10.244.0.7:8080", **APP_HTTP, **app},
        {"__address__": "10.244.0.7:9100", **APP_METRICS, **app},
        {
            "__address__": "10.244.0.7",
            "pod_container_name": "sidecar",
            "pod_container_id": "containerd://bbb",
            "pod_container_image": "example.org/log:2",
            "pod_container_init": "false",
        },
        {
            "__address__": "10.244.0.7",
            "pod_container_name": "migrate",
            "pod_container_id": "containerd://ccc",
            "pod_container_image": "example.org/migrate:3",
            "pod_container_init": "true",
        },
    ]


async def test_a_pod_without_an_address_has_no_targets(ask: Asked, cluster: Cluster) -> None:
    cluster.objects["pods"] = [pod(ip=""), pod("shop-2", ip="fd00::7")]
    first, second = await ask("pod")
    assert first.targets == ()
    assert second.targets[0]["__address__"] == "[fd00::7]:8080"


async def test_endpoints_carry_the_labels_of_service_and_pod(ask: Asked) -> None:
    (group,) = await ask("endpoints")
    assert group.source == "endpoints/web/shop"
    assert stripped(group.labels) == {
        **SERVICE_LABELS,
        "endpoints_name": "shop",
        "endpoints_label_app": "shop",
        "endpoints_labelpresent_app": "true",
    }
    port = {"endpoint_port_name": "http", "endpoint_port_protocol": "TCP"}
    assert [stripped(each) for each in group.targets] == [
        {
            "__address__": "10.244.0.7:8080",
            **port,
            "endpoint_ready": "true",
            "endpoint_node_name": "node-1",
            "endpoint_hostname": "shop-1",
            "endpoint_address_target_kind": "Pod",
            "endpoint_address_target_name": "shop-1",
            **POD_LABELS,
            **APP_HTTP,
        },
        {"__address__": "[fd00::9]:8080", **port, "endpoint_ready": "false"},
        {"__address__": "10.244.0.7:9100", **POD_LABELS, **APP_METRICS},
    ]


async def test_endpoint_slices_carry_the_labels_of_service_and_pod(ask: Asked) -> None:
    (group,) = await ask("endpointslice")
    assert group.source == "endpointslice/web/shop-abc"
    name, trigger = "kubernetes_io_service_name", "endpoints_kubernetes_io_last_change_trigger_time"
    assert stripped(group.labels) == {
        **SERVICE_LABELS,
        "endpointslice_name": "shop-abc",
        "endpointslice_address_type": "IPv4",
        f"endpointslice_label_{name}": "shop",
        f"endpointslice_labelpresent_{name}": "true",
        f"endpointslice_annotation_{trigger}": "2026-01-01",
        f"endpointslice_annotationpresent_{trigger}": "true",
    }
    assert [stripped(each) for each in group.targets] == [
        {
            "__address__": "10.244.0.7:8080",
            "endpointslice_port": "8080",
            "endpointslice_port_name": "http",
            "endpointslice_port_protocol": "TCP",
            "endpointslice_port_app_protocol": "http",
            "endpointslice_endpoint_conditions_ready": "true",
            "endpointslice_endpoint_conditions_serving": "true",
            "endpointslice_endpoint_conditions_terminating": "false",
            "endpointslice_endpoint_hostname": "shop-1",
            "endpointslice_endpoint_node_name": "node-1",
            "endpointslice_endpoint_zone": "a",
            "endpointslice_endpoint_topology_kubernetes_io_hostname": "node-1",
            "endpointslice_endpoint_topology_present_kubernetes_io_hostname": "true",
            "endpointslice_address_target_kind": "Pod",
            "endpointslice_address_target_name": "shop-1",
            **POD_LABELS,
            **APP_HTTP,
        },
        {"__address__": "10.244.0.7:9100", **POD_LABELS, **APP_METRICS},
    ]


@pytest.mark.parametrize("role", ["endpoints", "endpointslice", "pod"])
async def test_labels_of_the_node_are_attached_when_wanted(ask: Asked, role: str) -> None:
    (group,) = await ask(role, attach_metadata={"node": True})
    found = stripped({**group.labels, **group.targets[0]})
    assert NODE_LABELS.items() <= found.items()
    (plain,) = await ask(role)
    assert "node_name" not in stripped({**plain.labels, **plain.targets[0]})


async def test_an_ingress_is_its_paths_and_secure_where_a_certificate_covers_it(ask: Asked) -> None:
    (group,) = await ask("ingress")
    assert stripped(group.labels) == {
        "namespace": "web",
        "ingress_name": "shop",
        "ingress_class_name": "nginx",
        "ingress_label_app": "shop",
        "ingress_labelpresent_app": "true",
    }
    assert [
        (
            each["__address__"],
            each[f"{META}ingress_scheme"],
            each[f"{META}ingress_path"],
        )
        for each in group.targets
    ] == [
        ("shop.example.org", "https", "/"),
        ("shop.example.org", "https", "/api"),
        ("a.shop.example.org", "http", "/"),
        ("plain.example.com", "http", "/"),
    ]


async def test_all_pages_are_read(ask: Asked, cluster: Cluster) -> None:
    cluster.objects["pods"] = [pod(f"shop-{number}") for number in range(5)]
    groups = await ask("pod")
    assert [each.source for each in groups] == [f"pod/web/shop-{number}" for number in range(5)]
    assert [query.get("continue") for _, query in cluster.asked] == [None, ["2"], ["4"]]
    assert all(query["limit"] == ["500"] for _, query in cluster.asked)


async def test_namespaces_and_selectors_narrow_what_is_listed(ask: Asked, cluster: Cluster) -> None:
    selectors = [
        {"role": "pod", "label": "app=shop", "field": "status.phase=Running"},
        {"role": "node", "label": "zone=a"},
    ]
    await ask(
        "endpoints",
        namespaces={"names": ["web", "db"]},
        selectors=selectors,
        attach_metadata={"node": True},
    )
    asked = dict(cluster.asked)
    spaces = [f"/api/v1/namespaces/{space}" for space in ("db", "web")]
    kinds = ("endpoints", "pods", "services")
    assert {*asked} == {"/api/v1/nodes", *(f"{a}/{b}" for a in spaces for b in kinds)}
    pods = asked["/api/v1/namespaces/web/pods"]
    assert pods["labelSelector"] == ["app=shop"]
    assert pods["fieldSelector"] == ["status.phase=Running"]
    assert asked["/api/v1/nodes"]["labelSelector"] == ["zone=a"]
    assert "labelSelector" not in asked["/api/v1/namespaces/web/endpoints"]


@pytest.mark.parametrize(
    ("role", "selectors"),
    [
        ("pod", [{"role": "service", "label": "a=b"}]),
        ("pod", [{"role": "node", "label": "a=b"}]),
        ("pod", [{"role": "pod", "label": "a=b"}, {"role": "pod", "label": "a=c"}]),
    ],
)
async def test_a_selector_without_effect_is_refused(
    ask: Asked, role: str, selectors: list[dict[str, str]]
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        await ask(role, selectors=selectors)
    assert raised.value.field == f"/selectors/{len(selectors) - 1}/role"


@contextmanager
def _raises(*parts: str) -> Iterator[None]:
    with pytest.raises(PluginError) as raised:
        yield
    assert all(part in raised.value.message for part in parts), raised.value.message
    assert TOKEN not in raised.value.message


async def test_what_the_account_may_not_list_is_named(ask: Asked, cluster: Cluster) -> None:
    cluster.forbidden = frozenset({"services"})
    with _raises("/api/v1/services answered 403", "services is forbidden", "cannot list"):
        await ask("endpoints")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"metadata": {"name": "a"}, "status": {"podIP": 1}}, "pods.items[1].status.podIP"),
        ({"metadata": {"name": "a", "labels": []}}, "pods.items[1].metadata.labels"),
        ({"metadata": {}}, "pods.items[1].metadata.name is missing"),
        ([], "pods.items[1] must be an object"),
        (
            {
                "metadata": {"name": "a"},
                "status": {"podIP": "10.0.0.1"},
                "spec": {"containers": [{"ports": [{"containerPort": "x"}]}]},
            },
            "pods.items[1].spec.containers[0].ports[0].containerPort must be a whole number",
        ),
    ],
)
async def test_a_wrong_field_is_named(
    ask: Asked, cluster: Cluster, wrong: object, field: str
) -> None:
    value: Any = wrong
    if isinstance(value, dict) and "labels" in value["metadata"]:
        value["status"] = {"podIP": "10.0.0.1"}
    cluster.objects["pods"] = [pod(), value]
    if isinstance(value, dict) and not value["metadata"]:
        value["status"] = {"podIP": "10.0.0.1"}
    with _raises(field):
        await ask("pod")


async def test_the_wrong_token_is_told(discover: Discover, cluster: Cluster) -> None:
    with http_server(cluster.respond) as server, _raises("answered 401, not 200: Unauthorized"):
        await discover("kubernetes", {"api_server": server.url, "role": "node"})


async def test_it_signs_in_with_a_client_certificate(
    discover: Discover, authority: TestAuthority
) -> None:
    demanding = authority.server_context()
    demanding.verify_mode = ssl.CERT_REQUIRED
    authority.authority.configure_trust(demanding)
    client = authority.authority.issue_cert("viewer@example.org")
    certificate = b"".join(each.bytes() for each in client.cert_chain_pems).decode()
    key = client.private_key_pem.bytes().decode()
    nodes = json_answer({"kind": "NodeList", "metadata": {}, "items": [node()]})
    with http_server(lambda _: nodes, tls=demanding) as server:
        config = {"api_server": server.url, "role": "node"}
        tls = {"ca": authority.ca_pem, "cert": certificate}
        secrets = {"tls_config/key": key}
        assert await discover("kubernetes", {**config, "tls_config": tls}, secrets=secrets)
        with pytest.raises(NetworkError):
            await discover("kubernetes", {**config, "tls_config": {"ca": authority.ca_pem}})


async def test_the_egress_guard_is_asked(discover: Discover, cluster: Cluster) -> None:
    strict = EngineNetwork(EgressPolicy())
    with http_server(cluster.respond) as server, pytest.raises(EgressDeniedError):
        await discover("kubernetes", {"api_server": server.url}, through=strict)
    assert not cluster.asked
    await strict.aclose()
