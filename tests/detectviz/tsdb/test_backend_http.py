from urllib.parse import urlsplit

import pytest

from detectviz.testing.http_server import Answer, http_server, silent_port
from detectviz.testing.services import free_port
from detectviz.tsdb.backend_http import BackendClient
from detectviz.tsdb.interface import StoreError


def client_for(url: str, *, timeout_s: float = 5, max_body_bytes: int = 1000) -> BackendClient:
    return BackendClient(urlsplit(url), timeout_s=timeout_s, max_body_bytes=max_body_bytes)


def test_prefix_body_headers_and_password_are_sent() -> None:
    with http_server(lambda request: Answer(body=request.body)) as server:
        client = client_for(f"http://us%40er:p%3Ass@{server.host}:{server.port}/vm/")
        assert client.succeed("POST", "/write", body=b"hello", headers={"X-Mark": "1"}) == b"hello"
        client.close()
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/vm/write")
    assert request.headers["x-mark"] == "1"
    assert request.headers["authorization"] == "Basic dXNAZXI6cDpzcw=="


def test_connections_are_kept_and_closed_ones_replaced() -> None:
    answers = iter([Answer(), Answer(headers=(("Connection", "close"),)), Answer(body=b"last")])
    with http_server(lambda _: next(answers)) as server:
        client = client_for(server.url)
        client.succeed("GET", "/")
        client.succeed("GET", "/")
        assert client.succeed("GET", "/") == b"last"
        client.close()


@pytest.mark.parametrize(
    ("status", "retryable"), [(400, False), (422, False), (429, True), (500, True), (503, True)]
)
def test_refusals_carry_status_and_reason(status: int, retryable: bool) -> None:
    with http_server(lambda _: Answer(status=status, body=b"because")) as server:
        client = client_for(server.url)
        with pytest.raises(StoreError, match=f"{status}: because") as caught:
            client.succeed("GET", "/")
        client.close()
    assert caught.value.retryable is retryable


def test_an_answer_that_is_too_large_is_not_read_to_its_end() -> None:
    with http_server(lambda _: Answer(body=b"x" * 1001)) as server:
        client = client_for(server.url)
        with pytest.raises(StoreError, match="larger than 1000 bytes") as caught:
            client.succeed("GET", "/")
        client.close()
    assert not caught.value.retryable


def test_nobody_there_and_no_answer_in_time_may_be_tried_again() -> None:
    with silent_port() as silent:
        for port in (free_port(), silent):
            client = client_for(f"http://127.0.0.1:{port}", timeout_s=0.05)
            with pytest.raises(StoreError, match="not reachable") as caught:
                client.succeed("GET", "/")
            assert caught.value.retryable
