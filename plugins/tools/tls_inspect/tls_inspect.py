"""What a TLS server shows of itself."""

from datetime import datetime

from detectviz.contracts.config import get_int, get_text
from detectviz.contracts.drawings import Column, Drawing, Stat, Table, Tone
from detectviz.contracts.errors import PluginError
from detectviz.contracts.network import Certificate, TlsOptions, TlsReport
from detectviz.contracts.tool import ToolAnswer, ToolContext

_COLUMNS = tuple(
    Column(title=title)
    for title in ("Subject", "Names", "Issuer", "Until", "Key", "Signature", "SHA-256")
)
_DAY_S = 86_400
_SOON_DAYS = 21


class TlsInspect:
    """Connects without refusing what is wrong, so that it can be looked at."""

    async def run(self, context: ToolContext) -> ToolAnswer:
        """Connect and report; untrusted or ended certificates are an answer."""
        host = get_text(context.config, "host")
        port = get_int(context.config, "port", 443)
        name = get_text(context.config, "server_name") or host
        options = TlsOptions(verify=False, server_name=name, min_version="1.0")
        connection = await context.network.connect(
            host, port, tls=options, timeout_s=context.timeout_s
        )
        try:
            report = connection.tls
        finally:
            await connection.close()
        if report is None:
            raise PluginError(f"{host}:{port} does not speak TLS.")
        return _answer(name, report, context.now())


def _answer(name: str, report: TlsReport, now: datetime) -> ToolAnswer:
    left_s = (report.earliest_expiry - now).total_seconds() if report.earliest_expiry else None
    is_ended = left_s is not None and left_s <= 0
    said = f"trusted for {name}" if report.verified else f"not trusted: {report.verify_error}"
    days = "" if left_s is None else f", {_days(left_s)}"
    table = Table(columns=_COLUMNS, rows=tuple(_row(each) for each in report.chain))
    return ToolAnswer(
        is_ok=report.verified and not is_ended,
        summary=f"{report.version or 'TLS'}, {said}{days}",
        drawings=(
            Drawing(
                stats=(
                    Stat(label="Protocol", text=report.version or "unknown"),
                    Stat(label="Cipher", text=report.cipher or "unknown"),
                    Stat(
                        label="Trust",
                        text="trusted" if report.verified else "not trusted",
                        tone="up" if report.verified else "down",
                    ),
                    Stat(
                        label="First end",
                        value=None if left_s is None else left_s // _DAY_S,
                        unit="days",
                        text="unknown" if left_s is None else "",
                        tone=_tone(left_s),
                    ),
                )
            ),
            Drawing(title="Chain", table=table),
        ),
    )


def _tone(left_s: float | None) -> Tone:
    if left_s is None:
        return ""
    if left_s <= 0:
        return "down"
    return "degraded" if left_s < _SOON_DAYS * _DAY_S else "up"


def _days(left_s: float) -> str:
    days = int(abs(left_s) // _DAY_S)
    return f"{days} days left" if left_s > 0 else f"ended {days} days ago"


def _row(certificate: Certificate) -> tuple[str, ...]:
    return (
        certificate.subject,
        ", ".join(certificate.subject_alternative_names[:20]),
        certificate.issuer,
        certificate.not_after.strftime("%Y-%m-%d %H:%M"),
        certificate.public_key,
        certificate.signature_algorithm,
        certificate.fingerprint_sha256,
    )
