"""A URL, step by step."""

from urllib.parse import urljoin, urlsplit

from detectviz.contracts.config import get_bool, get_int, get_text
from detectviz.contracts.drawings import Bar, Column, Drawing, Table
from detectviz.contracts.errors import EgressDeniedError, NetworkError
from detectviz.contracts.network import HttpRequest, HttpResponse, TlsOptions
from detectviz.contracts.tool import ToolAnswer, ToolContext
from detectviz.contracts.types import JsonScalar

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_FIRST_ERROR = 400
_COLUMNS = (
    Column(title="URL"),
    Column(title="Status", is_number=True),
    Column(title="Address"),
    Column(title="HTTP"),
    *(
        Column(title=title, unit="s", is_number=True)
        for title in ("Resolve", "Connect", "TLS", "Wait", "Transfer", "Total")
    ),
)


class HttpTrace:
    """Makes every request itself, so that each step is seen."""

    async def run(self, context: ToolContext) -> ToolAnswer:
        """Follow the URL until there is no further redirect."""
        steps: list[tuple[str, HttpResponse]] = []
        url, problem = get_text(context.config, "url"), ""
        for _ in range(get_int(context.config, "max_redirects", 10) + 1):
            try:
                response = await context.network.fetch(_request(context, url))
            except EgressDeniedError:
                raise
            except NetworkError as error:
                problem = f"{url} failed ({error.phase}): {error.message}"
                break
            steps.append((url, response))
            target = response.header("location") or ""
            if response.status_code not in _REDIRECTS or not target:
                break
            url = urljoin(url, target)
            if urlsplit(url).scheme not in {"http", "https"}:
                problem = f"the redirect to {url[:200]} is not followed"
                break
        else:
            problem = "there are more redirects than may be followed"
        return _answer(steps, problem)


def _request(context: ToolContext, url: str) -> HttpRequest:
    return HttpRequest(
        url=url,
        method=get_text(context.config, "method", "GET"),
        timeout_s=context.timeout_s,
        follow_redirects=False,
        max_body_bytes=65_536,
        tls=TlsOptions(verify=get_bool(context.config, "verify", default=True)),
    )


def _answer(steps: list[tuple[str, HttpResponse]], problem: str) -> ToolAnswer:
    total = sum(response.phases.total for _, response in steps)
    last = steps[-1][1].status_code if steps else 0
    said = f"{len(steps)} requests in {total * 1000:.0f} ms, the last answered {last}"
    headers = tuple(steps[-1][1].headers[:100]) if steps else ()
    return ToolAnswer(
        is_ok=not problem and 0 < last < _FIRST_ERROR,
        summary=problem if not steps else "; ".join(filter(None, (said, problem))),
        drawings=(
            Drawing(
                title="Steps",
                bars=tuple(
                    Bar(label=url, value=response.phases.total, unit="s") for url, response in steps
                ),
                table=Table(columns=_COLUMNS, rows=tuple(_row(*step) for step in steps)),
            ),
            Drawing(
                title="Headers of the last answer",
                table=Table(
                    columns=(Column(title="Name"), Column(title="Value")),
                    rows=tuple((name, value) for name, value in headers),
                ),
            ),
        )
        if steps
        else (),
    )


def _row(url: str, response: HttpResponse) -> tuple[JsonScalar, ...]:
    phases = response.phases
    return (
        url,
        response.status_code,
        response.remote_ip,
        response.version,
        phases.resolve,
        phases.connect,
        phases.tls,
        phases.processing,
        phases.transfer,
        phases.total,
    )
