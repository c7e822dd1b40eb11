import pytest

from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.middleware import Verdict
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.testing.middleware import MiddlewareConformance, make_context, make_request
from detectviz.testing.plugins import built_in_plugins

ORIGIN = "https://app.example.org"
PREFLIGHT = {"origin": ORIGIN, "access-control-request-method": "PUT"}


class TestCors(MiddlewareConformance):
    name = "cors"

    @pytest.fixture
    def config(self) -> JsonObject:
        return {"origins": [ORIGIN]}


def handled(config: JsonObject, method: str, path: str, headers: dict[str, str]) -> Verdict:
    plugin = built_in_plugins().load(PluginKind.MIDDLEWARE, "cors")
    request = make_request(method, path, headers=headers)
    verdict: Verdict = plugin.handle(request, make_context("cors", config))
    return verdict


def test_a_named_origin_may_read_answers_of_the_api() -> None:
    verdict = handled({"origins": [ORIGIN]}, "GET", "/apis/", {"origin": ORIGIN})
    assert verdict.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert verdict.headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in verdict.headers


@pytest.mark.parametrize(
    "origin",
    ["https://app.example.org.evil.example", "http://app.example.org", "null", f"{ORIGIN}:8443"],
)
def test_an_origin_that_only_looks_alike_gets_nothing(origin: str) -> None:
    verdict = handled({"origins": [ORIGIN]}, "GET", "/apis/", {"origin": origin})
    assert verdict.headers == {"Vary": "Origin"}


def test_a_preflight_is_answered_and_pages_are_left_alone() -> None:
    verdict = handled({"origins": [ORIGIN]}, "OPTIONS", "/apis/", PREFLIGHT)
    assert verdict.answer is not None
    assert verdict.answer.status == 204
    assert "PUT" in verdict.headers["Access-Control-Allow-Methods"]
    assert handled({"origins": [ORIGIN]}, "OPTIONS", "/o/acme/", PREFLIGHT) == Verdict()


def test_a_preflight_of_another_origin_grants_nothing() -> None:
    verdict = handled({"origins": ["https://x.example"]}, "OPTIONS", "/apis/", PREFLIGHT)
    assert verdict.answer is not None
    assert not [name for name in verdict.headers if name.startswith("Access")]


def test_credentials_never_go_with_a_star() -> None:
    config: JsonObject = {"origins": ["*"], "allow_credentials": True}
    plugin = built_in_plugins().load(PluginKind.MIDDLEWARE, "cors")
    with pytest.raises(ConfigurationError, match="one by one"):
        plugin.check_config(make_context("cors", config))
    verdict = handled(config, "GET", "/apis/", {"origin": ORIGIN})
    assert "Access-Control-Allow-Credentials" not in verdict.headers


@pytest.mark.parametrize("origin", ["app.example.org", "https://app.example.org/", "ftp://x"])
def test_what_is_no_origin_stops_the_start(origin: str) -> None:
    plugin = built_in_plugins().load(PluginKind.MIDDLEWARE, "cors")
    with pytest.raises(ConfigurationError, match="is no origin"):
        plugin.check_config(make_context("cors", {"origins": [origin]}))
