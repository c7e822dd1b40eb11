"""What a server shows of itself, right or wrong."""

import asyncio
from datetime import UTC, datetime

import pytest

from detectviz.contracts.errors import PluginError
from detectviz.contracts.network import Certificate, Connection, IpFamily, TlsOptions, TlsReport
from detectviz.contracts.tool import ToolAnswer
from detectviz.testing.networks import BadConnection, BadNetwork
from detectviz.testing.tools import ToolSuite, make_tool_context
from plugins.tools.tls_inspect.tls_inspect import TlsInspect


class TestConformance(ToolSuite):
    """With a host."""

    name = "tls-inspect"
    config = {"host": "example.org"}


class TlsNetwork(BadNetwork):
    """Connects to a server with the report it was given."""

    def __init__(self, report: TlsReport | None) -> None:
        super().__init__("empty")
        self._report = report

    async def connect(
        self,
        host: str,
        port: int,
        *,
        tls: TlsOptions | None = None,
        ip_family: IpFamily = "auto",
        source_address: str = "",
        timeout_s: float = 10.0,
    ) -> Connection:
        """Connect."""
        connection = BadConnection(b"")
        connection.tls = self._report
        return connection


def report(*, until: datetime, error: str = "") -> TlsReport:
    leaf = Certificate(
        subject="CN=example.org",
        issuer="CN=Tests",
        serial="1",
        not_before=datetime(2025, 1, 1, tzinfo=UTC),
        not_after=until,
        subject_alternative_names=("example.org",),
    )
    return TlsReport(
        version="TLSv1.3",
        cipher="TLS_AES_128_GCM_SHA256",
        verified=not error,
        verify_error=error,
        chain=(leaf,),
    )


def run(shown: TlsReport | None) -> ToolAnswer:
    context = make_tool_context("tls-inspect", {"host": "example.org"}, TlsNetwork(shown))
    return asyncio.run(TlsInspect().run(context))


def test_a_good_certificate_is_all_right_and_its_days_are_counted() -> None:
    answer = run(report(until=datetime(2026, 4, 11, tzinfo=UTC)))
    assert answer.is_ok
    assert answer.summary == "TLSv1.3, trusted for example.org, 100 days left"
    assert answer.drawings[0].stats[3].tone == "up"


@pytest.mark.parametrize(("day", "tone"), [(12, "degraded"), (1, "down")])
def test_the_end_has_a_colour(day: int, tone: str) -> None:
    answer = run(report(until=datetime(2026, 1, day, tzinfo=UTC)))
    assert answer.drawings[0].stats[3].tone == tone


def test_one_that_is_not_trusted_says_why() -> None:
    answer = run(report(until=datetime(2027, 1, 1, tzinfo=UTC), error="self-signed certificate"))
    assert not answer.is_ok
    assert "not trusted: self-signed certificate" in answer.summary


def test_a_server_without_tls_is_an_error() -> None:
    with pytest.raises(PluginError, match="does not speak TLS"):
        run(None)
