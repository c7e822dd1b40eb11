from collections.abc import AsyncIterator

import pytest

from detectviz.contracts.errors import EgressDeniedError, NetworkError, PluginError
from detectviz.contracts.network import HttpRequest, HttpVersion, PingOptions
from detectviz.net.guard import EgressPolicy, classify, own_addresses
from detectviz.net.network import EngineNetwork

CLASSES = [
    ("8.8.8.8", "public"),
    ("1.1.1.1", "public"),
    ("9.255.255.255", "public"),
    ("11.0.0.0", "public"),
    ("172.15.255.255", "public"),
    ("172.32.0.0", "public"),
    ("100.63.255.255", "public"),
    ("100.128.0.0", "public"),
    ("2606:4700::1111", "public"),
    ("2a00:1450:4001::200e", "public"),
    ("0.0.0.0", "unspecified"),
    ("0.1.2.3", "unspecified"),
    ("10.0.0.1", "private"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.168.1.1", "private"),
    ("100.64.0.1", "shared"),
    ("100.127.255.255", "shared"),
    ("127.0.0.1", "loopback"),
    ("127.255.255.254", "loopback"),
    ("169.254.169.254", "link-local"),
    ("169.254.170.2", "link-local"),
    ("192.0.0.8", "protocol-assignment"),
    ("192.0.2.1", "documentation"),
    ("192.88.99.1", "6to4-relay"),
    ("198.18.0.1", "benchmarking"),
    ("198.19.255.255", "benchmarking"),
    ("198.51.100.7", "documentation"),
    ("203.0.113.9", "documentation"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.250", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "broadcast"),
    ("::", "unspecified"),
    ("::1", "loopback"),
    ("::127.0.0.1", "v4-compatible"),
    ("::7f00:1", "v4-compatible"),
    ("::ffff:127.0.0.1", "loopback"),
    ("::ffff:7f00:1", "loopback"),
    ("::ffff:a9fe:a9fe", "link-local"),
    ("::ffff:10.1.2.3", "private"),
    ("::ffff:8.8.8.8", "public"),
    ("::ffff:0:127.0.0.1", "v4-translated"),
    ("64:ff9b::127.0.0.1", "loopback"),
    ("64:ff9b::a9fe:a9fe", "link-local"),
    ("64:ff9b::8.8.8.8", "public"),
    ("64:ff9b:1::7f00:1", "nat64-local"),
    ("100::1", "discard"),
    ("2001::1", "teredo"),
    ("2001:0:7f00:1::", "teredo"),
    ("2001:2::1", "benchmarking"),
    ("2001:10::1", "orchid"),
    ("2001:20::1", "orchid"),
    ("2001:db8::1", "documentation"),
    ("3fff::1", "documentation"),
    ("5f00::1", "segment-routing"),
    ("2002:7f00:1::", "6to4"),
    ("2002:a9fe:a9fe::1", "6to4"),
    ("fc00::1", "unique-local"),
    ("fd12:3456::1", "unique-local"),
    ("fd00:ec2::254", "unique-local"),
    ("fe80::1", "link-local"),
    ("fe80::1%eth0", "link-local"),
    ("fec0::1", "site-local"),
    ("ff02::1", "multicast"),
    ("ff05::2", "multicast"),
    ("4000::1", "reserved"),
    ("e000::1", "reserved"),
]

# Ways to write an address that must not reach 127.0.0.1, 169.254.169.254 or a private network.
SPELLINGS = [
    "http://127.0.0.1/",
    "http://127.0.0.1:80/",
    "http://127.1/",
    "http://127.0.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7F.0.0.1/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://0177.1/",
    "http://017700000001/",
    "http://127.0x0.00.1/",
    "http://127.0.0.1./",
    "http://0/",
    "http://0.0.0.0/",
    "http://0x0/",
    "http://localhost/",
    "http://LOCALHOST/",
    "http://localhost./",
    "http://[::1]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[0000::0001]/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]/",
    "http://[::ffff:0:127.0.0.1]/",
    "http://[::127.0.0.1]/",
    "http://[::7f00:1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b::169.254.169.254]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[2001:0:7f00:1::1]/",
    "http://[fe80::1]/",
    "http://[fec0::1]/",
    "http://[fd00:ec2::254]/",
    "http://[ff02::1]/",
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/latest/meta-data/",
    "http://0xa9fea9fe/",
    "http://0xA9.0xFE.0xA9.0xFE/",
    "http://0251.0376.0251.0376/",
    "http://0251.254.169.254/",
    "http://169.254.43518/",
    "http://169.16689662/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[::ffff:169.254.169.254]/",
    "http://10.0.0.1/",
    "http://10.1/",
    "http://0xa000001/",
    "http://167772161/",
    "http://192.168.0.1/",
    "http://3232235521/",
    "http://172.16.0.1/",
    "http://100.64.0.1/",
    "http://192.0.0.8/",
    "http://198.18.0.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://240.0.0.1/",
    "http://example.org@127.0.0.1/",
    "http://example.org:80@127.0.0.1/",
    "http://example.org%40@127.0.0.1/",
    "http://user:secret@[::1]/",
    "http://127.0.0.1#@example.org/",
    "http://127.0.0.1?@example.org/",
    "http://127.0.0.1/@example.org",
    "http://%31%32%37.0.0.1/",
    "http://127%2e0%2e0%2e1/",
    "http://\uff11\uff12\uff17.0.0.1/",
    "http://127\u30020\u30020\u30021/",
    "http://\u2460\u2461\u2466.0.0.1/",
    "HTTP://127.0.0.1/",
    "https://127.0.0.1/",
    "https://[::1]/",
]


@pytest.fixture
async def guarded() -> AsyncIterator[EngineNetwork]:
    network = EngineNetwork(EgressPolicy())
    yield network
    await network.aclose()


@pytest.mark.parametrize(("address", "name"), CLASSES)
def test_every_address_has_its_class(address: str, name: str) -> None:
    assert classify(address) == name


@pytest.mark.parametrize(("address", "name"), CLASSES)
def test_only_public_addresses_pass_the_default_policy(address: str, name: str) -> None:
    assert EgressPolicy().is_allowed(address, 80) is (name == "public")


@pytest.mark.parametrize("url", SPELLINGS)
async def test_no_spelling_of_an_inner_address_gets_past_the_guard(
    guarded: EngineNetwork, url: str
) -> None:
    with pytest.raises(PluginError) as caught:
        await guarded.fetch(HttpRequest(url=url, timeout_s=5.0))
    refused_as_text = (
        isinstance(caught.value, NetworkError)
        and caught.value.phase in {"resolve", "send"}
        and "cannot" in caught.value.message
    )
    assert isinstance(caught.value, EgressDeniedError) or refused_as_text, caught.value.message


@pytest.mark.parametrize("version", ["1.0", "1.1", "2", "3"])
async def test_every_http_version_asks_the_guard(
    guarded: EngineNetwork, version: HttpVersion
) -> None:
    request = HttpRequest(url="https://127.0.0.1/", version=version, timeout_s=2.0)
    with pytest.raises(EgressDeniedError):
        await guarded.fetch(request)


async def test_a_proxy_and_a_pinned_address_ask_the_guard(guarded: EngineNetwork) -> None:
    proxied = HttpRequest(url="http://example.org/", proxy_url="http://127.0.0.1:3128")
    socks = HttpRequest(url="http://127.0.0.1/", proxy_url="socks5://10.0.0.1:1080")
    pinned = HttpRequest(url="http://example.org/", resolve={"example.org": "127.0.0.1"})
    for request in (proxied, socks, pinned):
        with pytest.raises(EgressDeniedError):
            await guarded.fetch(request)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "localhost", "::1"])
async def test_streams_and_datagrams_and_pings_ask_the_same_guard(
    guarded: EngineNetwork, host: str
) -> None:
    with pytest.raises(EgressDeniedError):
        await guarded.connect(host, 80, timeout_s=2.0)
    with pytest.raises(EgressDeniedError):
        await guarded.exchange_datagram(host, 53, b"x", ip_family="auto", timeout_s=2.0)
    with pytest.raises(EgressDeniedError):
        await guarded.ping(host, PingOptions(count=1))


def test_a_refusal_names_the_address_its_class_and_the_setting() -> None:
    with pytest.raises(EgressDeniedError) as caught:
        EgressPolicy().check("169.254.169.254", 80)
    for part in ("169.254.169.254", "link-local", "DETECTVIZ_EGRESS_ALLOW"):
        assert part in caught.value.message


def test_allow_admits_a_network_in_every_spelling_of_its_addresses() -> None:
    policy = EgressPolicy(allow=["10.0.0.0/8"])
    assert policy.is_allowed("10.9.8.7", 80)
    assert policy.is_allowed("::ffff:10.9.8.7", 80)
    assert not policy.is_allowed("192.168.0.1", 80)


def test_allow_private_admits_own_networks_but_not_metadata_services() -> None:
    policy = EgressPolicy(allow_private=True)
    admitted = ("127.0.0.1", "10.0.0.1", "::1", "fd00::1", "100.64.0.1", "::ffff:127.0.0.1")
    assert all(policy.is_allowed(address, 80) for address in admitted)
    refused = ("169.254.169.254", "::ffff:169.254.169.254", "0.0.0.0", "224.0.0.1", "fe80::1")
    assert not any(policy.is_allowed(address, 80) for address in refused)


def test_deny_wins_over_allow_and_over_public() -> None:
    policy = EgressPolicy(allow=["10.0.0.0/8"], deny=["10.1.0.0/16", "8.8.8.8"])
    assert not policy.is_allowed("10.1.0.1", 80)
    assert not policy.is_allowed("8.8.8.8", 80)
    assert policy.is_allowed("10.2.0.1", 80)


def test_own_listeners_are_refused_on_their_port_only() -> None:
    policy = EgressPolicy(allow_private=True, deny_endpoints=[("127.0.0.1", 8080)])
    assert not policy.is_allowed("127.0.0.1", 8080)
    assert not policy.is_allowed("::ffff:127.0.0.1", 8080)
    assert policy.is_allowed("127.0.0.1", 8081)


def test_a_wildcard_listener_is_refused_on_every_address_of_this_machine() -> None:
    policy = EgressPolicy(
        allow_private=True, allow=["0.0.0.0/0"], deny_endpoints=[("0.0.0.0", 8080)]
    )
    here = [address for address in own_addresses() if ":" not in address]
    assert not any(policy.is_allowed(address, 8080) for address in [*here, "127.8.8.8"])
    assert policy.is_allowed("10.77.66.55", 8080)


@pytest.mark.parametrize("networks", [["300.0.0.0/8"], ["ten"], ["10.0.0.0/99"]])
def test_a_wrong_network_is_refused_at_the_start(networks: list[str]) -> None:
    with pytest.raises(ValueError, match="does not appear"):
        EgressPolicy(allow=networks)
