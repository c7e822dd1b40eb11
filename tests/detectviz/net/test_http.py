import asyncio
import gzip
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from detectviz.contracts.errors import (
    CertificateError,
    ConfigurationError,
    DeadlineExceededError,
    EgressDeniedError,
    NetworkError,
)
from detectviz.contracts.network import HttpRequest, TlsOptions
from detectviz.net.guard import EgressPolicy
from detectviz.net.http import SyncHttpClient
from detectviz.net.network import EngineNetwork
from detectviz.testing.http_server import (
    Answer,
    ReceivedRequest,
    TestAuthority,
    http_server,
    silent_port,
)
from detectviz.testing.services import free_port

LOOPBACK = EgressPolicy(allow_private=True)


@pytest.fixture
async def network() -> AsyncIterator[EngineNetwork]:
    made = EngineNetwork(LOOPBACK)
    yield made
    await made.aclose()


@pytest.fixture(scope="module")
def authority() -> TestAuthority:
    return TestAuthority()


def hello(request: ReceivedRequest) -> Answer:
    return Answer(headers=(("X-Kind", "greeting"),), body=b"hello")


async def test_a_plain_exchange_reports_status_headers_body_peer_and_phases(
    network: EngineNetwork,
) -> None:
    with http_server(hello) as server:
        response = await network.fetch(HttpRequest(url=f"{server.url}/path?q=1"))
    assert (response.status_code, response.body, response.version) == (200, b"hello", "1.1")
    assert response.header("x-kind") == "greeting"
    assert (response.remote_ip, response.remote_port) == ("127.0.0.1", server.port)
    assert (response.content_length, response.redirects, response.tls) == (5, 0, None)
    assert response.phases.connect > 0
    assert response.phases.processing > 0
    assert response.phases.tls == 0
    assert (server.requests[0].path, server.requests[0].query) == ("/path", "q=1")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_every_method_is_sent_with_its_body(network: EngineNetwork, method: str) -> None:
    body = b"" if method == "HEAD" else b"a\0b"
    headers = (("Content-Type", "application/x-test"), ("X-Mine", "yes"))
    with http_server(hello) as server:
        request = HttpRequest(url=server.url, method=method, headers=headers, body=body)
        response = await network.fetch(request)
    seen = server.requests[0]
    assert (seen.method, seen.body, seen.headers["x-mine"]) == (method, body, "yes")
    assert seen.headers["content-type"] == "application/x-test"
    assert response.body == (b"" if method == "HEAD" else b"hello")


async def test_a_body_over_the_cap_is_cut_and_no_error(network: EngineNetwork) -> None:
    with http_server(lambda _: Answer(body=b"x" * 5_000_000)) as server:
        response = await network.fetch(HttpRequest(url=server.url, max_body_bytes=1000))
        exact = await network.fetch(HttpRequest(url=server.url, max_body_bytes=5_000_000))
    assert (len(response.body), response.body_truncated) == (1000, True)
    assert (len(exact.body), exact.body_truncated) == (5_000_000, False)


async def test_the_cap_counts_decoded_bytes_so_a_small_bomb_stays_small(
    network: EngineNetwork,
) -> None:
    bomb = gzip.compress(bytes(20_000_000))
    answer = Answer(headers=(("Content-Encoding", "gzip"),), body=bomb)
    with http_server(lambda _: answer) as server:
        response = await network.fetch(HttpRequest(url=server.url, max_body_bytes=10_000))
        raw = await network.fetch(HttpRequest(url=server.url, decompress=False))
    assert (len(response.body), response.body_truncated) == (10_000, True)
    assert raw.body == bomb


async def test_endless_headers_are_an_error(network: EngineNetwork) -> None:
    many = tuple((f"X-{number}", "y" * 1000) for number in range(90))
    with (
        http_server(lambda _: Answer(headers=many)) as server,
        pytest.raises(NetworkError, match="headers") as caught,
    ):
        await network.fetch(HttpRequest(url=server.url))
    assert caught.value.phase == "receive"


async def test_redirects_are_followed_counted_and_their_cookies_kept(
    network: EngineNetwork,
) -> None:
    def respond(request: ReceivedRequest) -> Answer:
        if request.path == "/":
            return Answer(status=302, headers=(("Location", "/b"), ("Set-Cookie", "s=1; Path=/")))
        return Answer(body=request.headers.get("cookie", "none").encode())

    with http_server(respond) as server:
        response = await network.fetch(HttpRequest(url=f"{server.url}/"))
        unfollowed = await network.fetch(HttpRequest(url=f"{server.url}/", follow_redirects=False))
    assert (response.body, response.redirects) == (b"s=1", 1)
    assert response.effective_url == f"{server.url}/b"
    assert (unfollowed.status_code, unfollowed.redirects) == (302, 0)


@pytest.mark.parametrize(
    ("status", "method"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")]
)
async def test_a_redirected_post_keeps_or_loses_its_method_as_the_status_says(
    network: EngineNetwork, status: int, method: str
) -> None:
    def respond(request: ReceivedRequest) -> Answer:
        is_first = request.path == "/"
        return Answer(status=status, headers=(("Location", "/b"),)) if is_first else Answer()

    with http_server(respond) as server:
        request = HttpRequest(url=f"{server.url}/", method="POST", body=b"form")
        await network.fetch(request)
    assert server.requests[1].method == method
    assert server.requests[1].body == (b"form" if method == "POST" else b"")


async def test_secrets_stay_behind_when_a_redirect_leaves_the_origin(
    network: EngineNetwork,
) -> None:
    with http_server(hello) as other:

        def respond(request: ReceivedRequest) -> Answer:
            if request.path == "/here":
                return Answer(status=302, headers=(("Location", "/there"),))
            return Answer(status=302, headers=(("Location", f"{other.url}/"),))

        with http_server(respond) as server:
            headers = (("X-Api-Key", "k"), ("Cookie", "a=b"), ("Accept", "text/plain"))
            request = HttpRequest(
                url=f"{server.url}/here", headers=headers, basic_auth=("user", "secret")
            )
            await network.fetch(request)
    second, foreign = server.requests[1], other.requests[0]
    assert {"x-api-key", "cookie", "authorization"} <= set(second.headers)
    assert not {"x-api-key", "cookie", "authorization"} & set(foreign.headers)
    assert foreign.headers["accept"] == "text/plain"


async def test_a_redirect_to_a_denied_address_is_refused_at_that_hop() -> None:
    policy = EgressPolicy(allow=["127.0.0.1"])
    network = EngineNetwork(policy)
    answer = Answer(status=302, headers=(("Location", "http://127.0.0.2:1/"),))
    denied = pytest.raises(EgressDeniedError, match=r"127\.0\.0\.2")
    with http_server(lambda _: answer) as server, denied:
        await network.fetch(HttpRequest(url=server.url))
    await network.aclose()


@pytest.mark.parametrize(
    "target", ["ftp://127.0.0.1/x", "file:///etc/passwd", "gopher://127.0.0.1:1/_x"]
)
async def test_a_redirect_out_of_http_is_refused(network: EngineNetwork, target: str) -> None:
    answer = Answer(status=302, headers=(("Location", target),))
    with http_server(lambda _: answer) as server, pytest.raises(NetworkError, match="not HTTP"):
        await network.fetch(HttpRequest(url=server.url))


async def test_a_redirect_loop_ends_after_the_limit(network: EngineNetwork) -> None:
    answer = Answer(status=302, headers=(("Location", "/"),))
    ended = pytest.raises(NetworkError, match="gave up after 3 redirects")
    with http_server(lambda _: answer) as server, ended:
        await network.fetch(HttpRequest(url=server.url, max_redirects=3))
    assert len(server.requests) == 4


async def test_a_closed_port_is_refused_by_name(network: EngineNetwork) -> None:
    port = free_port()
    with pytest.raises(NetworkError) as caught:
        await network.fetch(HttpRequest(url=f"http://127.0.0.1:{port}/"))
    assert caught.value.message == f"connection refused by 127.0.0.1:{port}"
    assert caught.value.phase == "connect"


async def test_an_unknown_name_fails_in_resolve(network: EngineNetwork) -> None:
    with pytest.raises(NetworkError) as caught:
        await network.fetch(HttpRequest(url="http://nosuch.invalid/"))
    assert caught.value.phase == "resolve"
    assert "nosuch.invalid" in caught.value.message


async def test_a_silent_server_times_out_while_waiting_for_the_answer(
    network: EngineNetwork,
) -> None:
    with silent_port() as port:
        with pytest.raises(DeadlineExceededError) as caught:
            await network.fetch(HttpRequest(url=f"http://127.0.0.1:{port}/", timeout_s=0.5))
        assert caught.value.phase == "receive"
        assert "0.5 s" in caught.value.message
        with pytest.raises(DeadlineExceededError) as caught:
            await network.fetch(HttpRequest(url=f"https://127.0.0.1:{port}/", timeout_s=0.5))
        assert caught.value.phase == "tls"


async def test_a_verified_exchange_reports_the_chain_and_what_was_negotiated(
    network: EngineNetwork, authority: TestAuthority
) -> None:
    with http_server(hello, tls=authority.server_context()) as server:
        request = HttpRequest(url=server.url, tls=TlsOptions(ca_pem=authority.ca_pem))
        response = await network.fetch(request)
    assert response.tls is not None
    assert response.tls.verified
    assert response.tls.version == "TLS 1.3"
    assert response.tls.cipher.startswith("TLS_")
    assert "localhost" in response.tls.chain[0].subject_alternative_names
    assert response.tls.earliest_expiry is not None
    assert response.phases.tls > 0


async def test_an_untrusted_certificate_is_refused_and_its_chain_is_told(
    network: EngineNetwork, authority: TestAuthority
) -> None:
    with http_server(hello, tls=authority.server_context()) as server:
        with pytest.raises(CertificateError, match="not trusted") as caught:
            await network.fetch(HttpRequest(url=server.url))
        unverified = await network.fetch(HttpRequest(url=server.url, tls=TlsOptions(verify=False)))
    assert caught.value.phase == "tls"
    assert caught.value.report is not None
    assert caught.value.report.chain
    assert unverified.tls is not None
    assert not unverified.tls.verified
    assert "not trusted" in unverified.tls.verify_error


async def test_an_expired_certificate_is_refused_with_its_date(
    network: EngineNetwork, authority: TestAuthority
) -> None:
    ended = datetime.now(UTC) - timedelta(days=2)
    leaf = authority.authority.issue_cert("127.0.0.1", not_after=ended)
    options = TlsOptions(ca_pem=authority.ca_pem)
    with http_server(hello, tls=authority.server_context(leaf)) as server:
        with pytest.raises(CertificateError) as caught:
            await network.fetch(HttpRequest(url=server.url, tls=options))
        relaxed = replace(options, verify=False)
        response = await network.fetch(HttpRequest(url=server.url, tls=relaxed))
    assert caught.value.message.startswith(f"certificate expired on {ended:%Y-%m-%d}")
    assert response.tls is not None
    assert response.tls.verify_error == caught.value.message


async def test_a_certificate_for_another_host_is_refused_with_both_names(
    network: EngineNetwork, authority: TestAuthority
) -> None:
    leaf = authority.authority.issue_cert("other.example")
    options = TlsOptions(ca_pem=authority.ca_pem)
    with http_server(hello, tls=authority.server_context(leaf)) as server:
        with pytest.raises(CertificateError) as caught:
            await network.fetch(HttpRequest(url=server.url, tls=options))
        named = replace(options, server_name="other.example")
        response = await network.fetch(HttpRequest(url=server.url, tls=named))
    assert "not valid for 127.0.0.1" in caught.value.message
    assert "other.example" in caught.value.message
    assert response.tls is not None
    assert response.tls.verified
    assert server.requests[0].headers["host"] == f"127.0.0.1:{server.port}"


async def test_a_client_certificate_is_presented(
    network: EngineNetwork, authority: TestAuthority
) -> None:
    context = authority.server_context()
    authority.authority.configure_trust(context)
    context.verify_mode = context.verify_mode.CERT_REQUIRED
    client: trustme.LeafCert = authority.authority.issue_cert("client@example.org")
    options = TlsOptions(
        ca_pem=authority.ca_pem,
        certificate_pem=b"".join(pem.bytes() for pem in client.cert_chain_pems).decode(),
        private_key_pem=client.private_key_pem.bytes().decode(),
    )
    with http_server(hello, tls=context) as server:
        response = await network.fetch(HttpRequest(url=server.url, tls=options))
        bare = replace(options, certificate_pem="", private_key_pem="")
        with pytest.raises(NetworkError):
            await network.fetch(HttpRequest(url=server.url, tls=bare))
    assert response.status_code == 200


async def test_a_pinned_address_is_connected_to_and_the_name_still_sent(
    network: EngineNetwork,
) -> None:
    with http_server(hello) as server:
        url = f"http://pinned.example:{server.port}/"
        request = HttpRequest(url=url, resolve={"pinned.example": "127.0.0.1"})
        response = await network.fetch(request)
        with pytest.raises(NetworkError):
            await network.fetch(HttpRequest(url=url, timeout_s=2))
    assert response.effective_url == url
    assert server.requests[0].headers["host"] == f"pinned.example:{server.port}"


async def test_digest_authentication_answers_the_challenge(network: EngineNetwork) -> None:
    def respond(request: ReceivedRequest) -> Answer:
        if "authorization" in request.headers:
            return Answer(body=request.headers["authorization"].encode())
        challenge = 'Digest realm="r", nonce="abc", qop="auth", algorithm=MD5'
        return Answer(status=401, headers=(("WWW-Authenticate", challenge),))

    with http_server(respond) as server:
        response = await network.fetch(HttpRequest(url=server.url, digest_auth=("me", "pw")))
    assert response.status_code == 200
    assert b'username="me"' in response.body


@pytest.mark.parametrize(
    "request_",
    [
        HttpRequest(url="ftp://example.org/"),
        HttpRequest(url="http://"),
        HttpRequest(url="http://exa mple.org/"),
        HttpRequest(url="http://example.org/\r\nX: y"),
        HttpRequest(url="http://[::1/"),
        HttpRequest(url="http://example.org:99999/"),
        HttpRequest(url="http://example.org/", method="GET / HTTP/1.1"),
        HttpRequest(url="http://example.org/", headers=(("X", "a\r\nEvil: b"),)),
        HttpRequest(url="http://example.org/", headers=(("X: y", "a"),)),
    ],
)
async def test_a_request_that_would_not_be_one_request_is_a_configuration_error(
    network: EngineNetwork, request_: HttpRequest
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await network.fetch(request_)
    assert caught.value.field in {"/url", "/method", "/headers"}


async def test_a_kept_handle_carries_nothing_over_to_the_next_exchange(
    network: EngineNetwork,
) -> None:
    def respond(request: ReceivedRequest) -> Answer:
        cookie = (("Set-Cookie", "s=1; Path=/"),) if request.path == "/set" else ()
        return Answer(headers=cookie, body=request.path.encode())

    with http_server(respond) as server:
        for path in ("/one", "/set", "/two", "/three"):
            response = await network.fetch(HttpRequest(url=f"{server.url}{path}"))
            assert response.body == path.encode()
        secret = HttpRequest(url=server.url, headers=(("X-Api-Key", "k"),), basic_auth=("u", "p"))
        await network.fetch(secret)
        await network.fetch(HttpRequest(url=server.url))
        head = await network.fetch(HttpRequest(url=f"{server.url}/h", method="HEAD"))
    assert head.body == b""
    assert not any("cookie" in seen.headers for seen in server.requests)
    assert "x-api-key" in server.requests[4].headers
    assert not {"x-api-key", "authorization"} & set(server.requests[5].headers)


async def test_a_kept_handle_asks_the_guard_again(authority: TestAuthority) -> None:
    policy = EgressPolicy(allow=["127.0.0.1"])
    network = EngineNetwork(policy)
    with http_server(hello) as server:
        await network.fetch(HttpRequest(url=server.url))
        with pytest.raises(EgressDeniedError):
            await network.fetch(HttpRequest(url=f"http://127.0.0.2:{server.port}"))
        assert (await network.fetch(HttpRequest(url=server.url))).status_code == 200
    await network.aclose()


async def test_environment_proxies_are_not_used(
    network: EngineNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "all_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1/")
    with http_server(hello) as server:
        assert (await network.fetch(HttpRequest(url=server.url))).status_code == 200


async def test_a_slow_exchange_does_not_hold_up_the_others(network: EngineNetwork) -> None:
    with http_server(hello) as server, silent_port() as port:
        slow = asyncio.create_task(
            network.fetch(HttpRequest(url=f"http://127.0.0.1:{port}/", timeout_s=20))
        )
        started = time.monotonic()
        answers = await asyncio.gather(
            *(network.fetch(HttpRequest(url=server.url)) for _ in range(20))
        )
        assert time.monotonic() - started < 5
        assert not slow.done()
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
    assert [answer.status_code for answer in answers] == [200] * 20


def test_the_client_for_threads_gives_the_same_answers_and_errors() -> None:
    client = SyncHttpClient(LOOPBACK)
    try:
        with http_server(hello) as server:
            assert client.fetch(HttpRequest(url=server.url)).body == b"hello"
        with pytest.raises(NetworkError, match="refused"):
            client.fetch(HttpRequest(url=f"http://127.0.0.1:{free_port()}/"))
        client.require_allowed("127.0.0.1", 80)
        with pytest.raises(EgressDeniedError):
            client.require_allowed("169.254.169.254", 80)
    finally:
        client.close()


def test_the_client_for_threads_starts_again_after_closing() -> None:
    client = SyncHttpClient(LOOPBACK)
    with http_server(hello) as server:
        for _ in range(2):
            assert client.fetch(HttpRequest(url=server.url)).status_code == 200
            client.close()
