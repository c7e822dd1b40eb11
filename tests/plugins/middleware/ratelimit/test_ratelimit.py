from detectviz.contracts.middleware import Middleware
from detectviz.contracts.types import PluginKind
from detectviz.testing.middleware import MiddlewareConformance, make_context, make_request
from detectviz.testing.plugins import built_in_plugins


class TestRateLimit(MiddlewareConformance):
    name = "ratelimit"


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def plugin() -> Middleware:
    loaded: Middleware = built_in_plugins().load(PluginKind.MIDDLEWARE, "ratelimit")
    return loaded


def test_a_burst_passes_and_what_follows_waits_for_tokens() -> None:
    clock = Clock()
    context = make_context("ratelimit", {"client_per_s": 2, "client_burst": 5}, now_s=clock)
    answers = [plugin().handle(make_request(), context).answer for _ in range(7)]
    assert [answer is None for answer in answers] == [True] * 5 + [False] * 2
    refused = plugin().handle(make_request(), context)
    assert refused.answer is not None
    assert refused.answer.status == 429
    assert refused.headers["Retry-After"] == "1"
    clock.now += 1  # two tokens
    answers = [plugin().handle(make_request(), context).answer for _ in range(3)]
    assert [answer is None for answer in answers] == [True, True, False]


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    clock = Clock()
    context = make_context("ratelimit", {"client_per_s": 10, "client_burst": 3}, now_s=clock)
    plugin().handle(make_request(), context)
    clock.now += 3600
    answers = [plugin().handle(make_request(), context).answer for _ in range(5)]
    assert [answer is None for answer in answers] == [True] * 3 + [False] * 2


def test_clients_and_organisations_have_buckets_of_their_own() -> None:
    config = {"client_per_s": 0, "org_per_s": 1, "org_burst": 1}
    context = make_context("ratelimit", config)
    assert plugin().handle(make_request(), context).answer is None
    assert plugin().handle(make_request(org="other"), context).answer is None
    assert plugin().handle(make_request(address="192.0.2.9"), context).answer is not None


def test_pages_are_not_counted_where_only_the_api_is() -> None:
    config = {"client_per_s": 1, "client_burst": 1, "api_only": True}
    context = make_context("ratelimit", config)
    answers = [plugin().handle(make_request(path="/o/acme/"), context).answer for _ in range(3)]
    assert answers == [None] * 3
