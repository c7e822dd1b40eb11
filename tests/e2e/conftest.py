"""What the browser tests share: a browser per module, and pages that may not complain."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from detectviz.testing.receivers import Hook, Mailbox, mail_server, webhook_receiver
from detectviz.testing.services import find_program

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MS = 60_000  # a busy machine is slow, not broken


@dataclass(slots=True)
class Window:
    """A browser window on a product; ``complaints`` are console errors, CSP violations included."""

    context: BrowserContext
    complaints: list[str] = field(default_factory=list)

    def tab(self) -> Page:
        """Open a tab whose complaints are noted."""
        page = self.context.new_page()
        page.on(
            "console",
            lambda message: (
                self.complaints.append(f"{page.url}: {message.text}")
                if message.type == "error"
                else None
            ),
        )
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        return page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_program("chromium"), args=list(ARGUMENTS)
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def window(browser: Browser) -> Iterator[Window]:
    # without transitions: colours are judged, and they must not be on their way
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)
    yield Window(context)
    context.close()


@pytest.fixture
def hook() -> Iterator[Hook]:
    with webhook_receiver() as hook:
        yield hook


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mail_server() as mailbox:
        yield mailbox
