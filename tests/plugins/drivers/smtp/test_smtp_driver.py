import socketserver
import threading
from collections.abc import Iterator

import pytest

from detectviz.contracts.driver import Driver
from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.types import JsonObject
from detectviz.testing.drivers import DriverConformance, make_context
from detectviz.testing.services import free_port


class MailServer(socketserver.StreamRequestHandler):
    """Says yes to everything but passwords."""

    def handle(self) -> None:
        self.wfile.write(b"220 mail.example ESMTP\r\n")
        for line in self.rfile:
            word = line.split()[0].upper() if line.split() else b""
            if word == b"EHLO":
                self.wfile.write(b"250-mail.example\r\n250 AUTH PLAIN\r\n")
            elif word == b"AUTH":
                self.wfile.write(b"535 5.7.8 no such user\r\n")
            elif word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 ok\r\n")


@pytest.fixture
def port() -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), MailServer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield int(server.server_address[1])
        server.shutdown()


class TestSmtp(DriverConformance):
    name = "smtp"

    @pytest.fixture
    def config(self, port: int) -> JsonObject:
        return {"url": f"smtp://127.0.0.1:{port}"}

    @pytest.fixture
    def nobody(self) -> JsonObject:
        return {"url": f"smtp://127.0.0.1:{free_port()}"}

    def test_a_wrong_password_is_not_waited_out(self, driver: Driver, port: int) -> None:
        with pytest.raises(ConfigurationError, match="refuses user and password"):
            driver.open(make_context(self.name, {"url": f"smtp://u:p@127.0.0.1:{port}"}))

    def test_tls_that_the_server_lacks_is_told(self, driver: Driver, port: int) -> None:
        config: JsonObject = {"url": f"smtp://127.0.0.1:{port}?starttls=yes"}
        with pytest.raises(ConfigurationError, match="STARTTLS"):
            driver.open(make_context(self.name, config))
