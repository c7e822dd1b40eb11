"""Objects are read page by page, however one page leads to the next."""

from collections.abc import Callable, Iterator
from urllib.parse import parse_qs

import pytest

from detectviz.contracts.errors import ConfigurationError, PluginError
from detectviz.contracts.importer import ImporterContext
from detectviz.contracts.records import RowRecord
from detectviz.contracts.types import JsonObject
from detectviz.net.http import SyncHttpClient
from detectviz.testing.http_server import Answer, ReceivedRequest, http_server, json_answer
from detectviz.testing.importers import ImporterSuite, make_importer_context, records_of
from plugins.importers.api.importer import ApiImporter
from plugins.importers.api.links import next_link

PAGES = [[{"n": 0}, {"n": 1}], [{"n": 2}, {"n": 3}], [{"n": 4}]]


def respond(request: ReceivedRequest) -> Answer:
    """Serve the pages in the style the path names."""
    asked = {name: values[0] for name, values in parse_qs(request.query).items()}
    style, place = request.path.strip("/"), int(asked.get("p", "0").removeprefix("c"))
    if style == "offset":
        rows = [row for page in PAGES for row in page][place : place + 2]
        return json_answer({"items": rows})
    place = place - 1 if style == "page" else place
    rows = PAGES[place] if place < len(PAGES) else []
    following = place + 1 < len(PAGES)
    if style == "cursor":
        return json_answer({"items": rows, "next": f"c{place + 1}" if following else None})
    if style == "next":
        return json_answer({"items": rows, "next": f"/next?p={place + 1}" if following else ""})
    answer = json_answer({"items": rows})
    link = f'</link?p=0>; rel="first", </link?p={place + 1}>; rel="next"' if following else ""
    return Answer(status=200, headers=(*answer.headers, ("Link", link)), body=answer.body)


@pytest.fixture
def url() -> Iterator[str]:
    with http_server(respond) as server:
        yield server.url


def context(http: SyncHttpClient, url: str, **config: object) -> ImporterContext:
    options: JsonObject = {"url": url, "records": "$.items[*]", "page_parameter": "p", **config}  # type: ignore[dict-item]  # tests pass JSON
    return make_importer_context("api", options, {"token": "c4n4ry-t0k3n"}, http=http)


class TestConformance(ImporterSuite):
    """Five objects on three pages."""

    name = "api"

    @pytest.fixture
    def good_context(self, http: SyncHttpClient, url: str) -> ImporterContext:
        return context(http, f"{url}/cursor", pages="cursor")

    @pytest.fixture
    def bad_context(self, http: SyncHttpClient) -> Iterator[ImporterContext]:
        with http_server(lambda _: Answer(status=403, body=self.SECRET.encode())) as server:
            yield context(http, server.url)


@pytest.mark.parametrize("style", ["page", "offset", "cursor", "next", "link"])
def test_pages_are_followed_to_their_end(http: SyncHttpClient, url: str, style: str) -> None:
    records = records_of(list(ApiImporter().read(context(http, f"{url}/{style}", pages=style))))
    assert records == [RowRecord(values={"n": number}) for number in range(5)]


@pytest.mark.parametrize("style", ["next", "link"])
def test_credentials_go_to_no_other_server(http: SyncHttpClient, style: str) -> None:
    there = "http://evil.example.org/x"

    def lure(request: ReceivedRequest) -> Answer:
        answer = json_answer({"items": [], "next": there})
        headers = (*answer.headers, ("Link", f'<{there}>; rel="next"'))
        return Answer(status=200, headers=headers, body=answer.body)

    with http_server(lure) as server, pytest.raises(PluginError, match="another server"):
        list(ApiImporter().read(context(http, server.url, pages=style)))


def looping(answer: object) -> Callable[[ReceivedRequest], Answer]:
    return lambda _: json_answer(answer)


def test_pages_that_lead_to_themselves_are_refused(http: SyncHttpClient) -> None:
    with http_server(looping({"items": [{"n": 1}], "next": "same"})) as server:
        with pytest.raises(PluginError, match="do not come to an end"):
            list(ApiImporter().read(context(http, server.url, pages="cursor")))
        with pytest.raises(PluginError, match="do not come to an end"):
            list(ApiImporter().read(context(http, server.url, pages="page", most_pages=3)))


def test_what_is_no_object_is_named(http: SyncHttpClient) -> None:
    with http_server(looping({"items": [1, {"n": 1}]})) as server:
        (batch,) = ApiImporter().read(context(http, server.url))
    assert (len(batch.records), batch.errors[0].place) == (1, "object 1")


def test_a_path_that_is_none_names_its_field(http: SyncHttpClient, url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        list(ApiImporter().read(context(http, url, records="$[")))
    assert refused.value.field == "/records"


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ("", ""),
        ('<a>; rel="prev", <b>; rel="next"', "b"),
        ("<b>; title=x; rel=next", "b"),
        ('<a>; rel="last"', ""),
        ("<a", ""),
    ],
)
def test_links_are_read(header: str, target: str) -> None:
    assert next_link(header) == target
