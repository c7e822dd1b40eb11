"""Checks per second and core: our engine with the http collector against blackbox_exporter.

Both check the same nginx over loopback, a new connection each time, the certificate of a
Let's-Encrypt-like chain (P-384, P-384, P-256) verified against the system's trust bundle. The
checker has one core, nginx and the driver the other. Compared is CPU time per 1,000 checks.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import psutil
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from detectviz.collection.checks import Outcome, ScheduledCheck
from detectviz.collection.engine import Engine, EngineSettings
from detectviz.contracts.collector import CheckResult, Collector, CollectorContext, Metric
from detectviz.contracts.network import HttpRequest
from detectviz.contracts.types import CheckState, JsonObject, PluginKind
from detectviz.net.guard import EgressPolicy
from detectviz.net.network import EngineNetwork
from detectviz.net.trust import bundle_path
from detectviz.testing.plugins import built_in_plugins, checked_config
from detectviz.testing.services import find_program, free_port, port_is_open, run_server

BODY_BYTES: Final = 2_036
ROUNDS: Final = 2
UNLIMITED: Final = 1e9
# Name, TLS, at once, checks per round; goals of PERFORMANCE.md for the pycurl tier.
CASES: Final = (
    ("HTTP, 50 at once", False, 50, 2_000, 5.0),
    ("HTTP, 200 at once", False, 200, 2_000, 5.0),
    ("HTTPS, 50 at once", True, 50, 400, 1.4),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one run cost."""

    cpu_s_per_1000: float
    per_second: float
    good: int


class CountingSink:
    """Counts outcomes and tells when all are there."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self.good = self.seen = 0
        self.complete = threading.Event()

    def flush(self, outcomes: Sequence[Outcome]) -> None:
        self.seen += len(outcomes)
        self.good += sum(outcome.result.state is CheckState.UP for outcome in outcomes)
        if self.seen >= self._wanted:
            self.complete.set()


class BlackboxDriver:
    """Asks blackbox_exporter to probe: the driver's collector, not what is measured."""

    async def check(self, context: CollectorContext) -> CheckResult:
        response = await context.network.fetch(HttpRequest(url=str(context.config["url"])))
        is_good = b"\nprobe_success 1" in response.body
        state = CheckState.UP if is_good else CheckState.DOWN
        return CheckResult(state=state, message="", metrics=(Metric(name="x", value=1.0),))


class Registry:
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def get(self, name: str, org: str) -> Collector:
        return self._collector


def run_checks(collector: Collector, config: JsonObject, *, at_once: int, count: int) -> Measured:
    """Run ``count`` checks, ``at_once`` of them at any time, in this process."""
    sink = CountingSink(count)
    engine = Engine(
        registry=Registry(collector),
        sink=sink,
        network=EngineNetwork(EgressPolicy(allow_private=True)),
        settings=EngineSettings(plain_rate=UNLIMITED, per_host=at_once, freeze_gc=True),
    )
    engine.start()
    slot_ms = round(time.time() * 1000)
    checks = [
        ScheduledCheck(
            key=key, epoch=1, slot_ms=slot_ms, collector="c", name="n", config=config, host="h"
        )
        for key in range(count)
    ]
    cpu, wall = time.process_time(), time.perf_counter()
    engine.submit(checks)
    if not sink.complete.wait(60):
        raise TimeoutError(f"{sink.seen} of {count} checks ended")
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    engine.drain(5.0)
    return Measured(cpu_s_per_1000=cpu / count * 1000, per_second=count / wall, good=sink.good)


def pin(core: int) -> None:
    """Keep this process on one core, where the system knows how."""
    process = psutil.Process()
    if hasattr(process, "cpu_affinity"):
        process.cpu_affinity([core % (os.cpu_count() or 1)])


# --- the child: our engine on core 0 ----------------------------------------------------------


def child(arguments: Sequence[str]) -> None:
    """Run the real collector and print what it cost as JSON."""
    url, at_once, count = arguments[0], int(arguments[1]), int(arguments[2])
    pin(0)
    config = checked_config(PluginKind.COLLECTOR, "http", {"url": url}).config
    collector = built_in_plugins().load(PluginKind.COLLECTOR, "http")
    run_checks(collector, config, at_once=at_once, count=50)
    found = run_checks(collector, config, at_once=at_once, count=count)
    sys.stdout.write(json.dumps([found.cpu_s_per_1000, found.per_second, found.good]))


def measure_ours(url: str, at_once: int, count: int, bundle: Path) -> Measured:
    argv = [sys.executable, "-m", "tests.bench.bench_checks", url, str(at_once), str(count)]
    environment = {**os.environ, "SSL_CERT_FILE": str(bundle)}  # noqa: TID251 - handed on to the child
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
    cpu, per_second, good = json.loads(done.stdout)
    return Measured(cpu_s_per_1000=cpu, per_second=per_second, good=good)


# --- the peer ---------------------------------------------------------------------------------


def measure_blackbox(
    process: psutil.Process, port: int, url: str, at_once: int, count: int
) -> Measured:
    probe = {"url": f"http://127.0.0.1:{port}/probe?module=bench&target={url}"}
    run_checks(BlackboxDriver(), probe, at_once=at_once, count=50)
    before = process.cpu_times()
    found = run_checks(BlackboxDriver(), probe, at_once=at_once, count=count)
    after = process.cpu_times()
    cpu = after.user - before.user + after.system - before.system
    return Measured(cpu_s_per_1000=cpu / count * 1000, per_second=found.per_second, good=found.good)


@contextmanager
def blackbox(folder: Path, bundle: Path) -> Iterator[tuple[psutil.Process, int]]:
    program, port = find_program("prometheus-blackbox-exporter"), free_port()
    config = folder / "blackbox.yml"
    config.write_text(
        "modules:\n  bench:\n    prober: http\n    timeout: 10s\n"
        "    http: {preferred_ip_protocol: ip4}\n"
    )
    argv = [
        str(program),
        f"--config.file={config}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]
    environment = {"SSL_CERT_FILE": str(bundle), "GOMAXPROCS": "1"}
    with run_server(argv, ready=lambda: port_is_open(port), env=environment) as running:
        process = psutil.Process(running.pid)
        if hasattr(process, "cpu_affinity"):
            process.cpu_affinity([0])
        yield process, port


# --- the target -------------------------------------------------------------------------------


def issue(
    name: str, signer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None, *, is_ca: bool
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Issue one certificate of the chain."""
    key = ec.generate_private_key(ec.SECP384R1() if is_ca else ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    issuer_key = signer[1] if signer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer[0].subject if signer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=90))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    )
    if not is_ca:
        names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(issuer_key, hashes.SHA384() if is_ca else hashes.SHA256()), key


def write_chain(folder: Path) -> Path:
    """Write nginx' chain and key; return a trust bundle that knows the root."""
    root = issue("bench root", None, is_ca=True)
    middle = issue("bench intermediate", root, is_ca=True)
    leaf = issue("localhost", middle, is_ca=False)
    pem = serialization.Encoding.PEM
    chain = leaf[0].public_bytes(pem) + middle[0].public_bytes(pem)
    (folder / "chain.pem").write_bytes(chain)
    (folder / "key.pem").write_bytes(
        leaf[1].private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    bundle = folder / "bundle.pem"
    bundle.write_bytes(Path(bundle_path()).read_bytes() + root[0].public_bytes(pem))
    return bundle


@contextmanager
def nginx(folder: Path) -> Iterator[tuple[int, int]]:
    """Serve a small page; yield the HTTP and the HTTPS port."""
    plain, secure = free_port(), free_port()
    (folder / "html").mkdir()
    (folder / "html" / "index.html").write_text("x" * BODY_BYTES)
    config = folder / "nginx.conf"
    config.write_text(
        f"""daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_timeout 0; root {folder}/html;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{ listen 127.0.0.1:{plain} backlog=4096; }}
  server {{ listen 127.0.0.1:{secure} ssl backlog=4096;
    ssl_certificate {folder}/chain.pem; ssl_certificate_key {folder}/key.pem;
    ssl_session_cache off; ssl_session_tickets off; }}
}}
"""
    )
    argv = [str(find_program("nginx")), "-c", str(config), "-p", str(folder)]
    with run_server(argv, ready=lambda: port_is_open(secure)):
        yield plain, secure


def best(runs: Sequence[Measured]) -> Measured:
    return min(runs, key=lambda run: run.cpu_s_per_1000)


def main() -> int:
    """Print the table; return 1 when a program is missing."""
    missing = [name for name in ("nginx", "prometheus-blackbox-exporter") if not find_program(name)]
    if missing:
        sys.stdout.write(f"not run: install {', '.join(missing)}\n")
        return 1
    pin(1)
    out = sys.stdout
    head = ("case", "ours s/1k", "/s", "blackbox s/1k", "/s", "ratio", "goal")
    out.write("{:20}{:>11}{:>8}{:>15}{:>8}{:>7}{:>6}\n".format(*head))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="detectviz-bench-")))
        folder.chmod(0o755)
        bundle = write_chain(folder)
        plain, secure = stack.enter_context(nginx(folder))
        process, port = stack.enter_context(blackbox(folder, bundle))
        for name, is_tls, at_once, count, goal in CASES:
            url = f"https://localhost:{secure}/" if is_tls else f"http://127.0.0.1:{plain}/"
            ours, theirs = [], []
            for _ in range(ROUNDS):
                ours.append(measure_ours(url, at_once, count, bundle))
                theirs.append(measure_blackbox(process, port, url, at_once, count // 2))
            mine, other = best(ours), best(theirs)
            if mine.good != count or other.good != count // 2:
                out.write(f"{name}: failed checks: {mine.good}, {other.good}\n")
                return 1
            ratio = other.cpu_s_per_1000 / mine.cpu_s_per_1000
            out.write(
                f"{name:20}{mine.cpu_s_per_1000:11.4f}{mine.per_second:8.0f}"
                f"{other.cpu_s_per_1000:15.4f}{other.per_second:8.0f}{ratio:7.1f}{goal:6.1f}\n"
            )
            out.flush()
    return 0


if __name__ == "__main__":
    child(sys.argv[1:])
