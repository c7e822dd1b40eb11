"""An outside system as a module: waited for at the start, let go of at the end."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.masking import masked
from detectviz.runtime.modules import ModuleError, Remark

ANSWER_TIMEOUT_S = 30.0
POLL_S = 0.5
CHECK_EVERY_S = 10.0

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class DriverModule:
    """One outside system. ``ask`` raises until it answers; ``variable`` says where it is.

    ``address`` may carry a password: it is masked where it is told, as are the words of ``ask``.
    An error with ``retryable`` False is not waited out.
    """

    name: str
    variable: str
    address: str
    ask: Callable[[], object]
    close: Callable[[], object] = lambda: None
    depends_on: Sequence[str] = ()
    timeout_s: float = ANSWER_TIMEOUT_S
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep

    def start(self) -> None:
        """Wait until it answers; raise ModuleError naming it and the variable to change."""
        ends_at = self.clock() + self.timeout_s
        while True:
            try:
                self.ask()
            except Exception as error:  # noqa: BLE001 - whatever went wrong is why it does not answer
                is_final = not getattr(error, "retryable", not getattr(error, "permanent", False))
                if is_final or self.clock() >= ends_at:
                    raise ModuleError(self.complaint_about(error)) from None
                self.sleep(POLL_S)
            else:
                return

    def stop(self, deadline_s: float) -> None:
        """Let go of it."""
        self.close()

    def complaint_about(self, error: Exception) -> str:
        """Return the sentence that says why it does not answer and what to look at."""
        reason = str(error).strip().partition("\n")[0]
        if self.address:
            reason = reason.replace(self.address, str(self._shown))
        if isinstance(error, ConfigurationError):
            return f"{self.name}: {reason}"
        return f"{self.name} ({self._shown}) does not answer: {reason}. Look at {self.variable}."

    @property
    def _shown(self) -> object:
        return masked(self.address)


@dataclass(slots=True, kw_only=True)
class WatchedDriverModule:
    """A driver that is looked at while it runs, from a thread; ``says`` names what answers.

    One that stops answering stops nobody: services have their own ways to wait for it.
    """

    driver: DriverModule
    says: Callable[[], str]
    every_s: float = CHECK_EVERY_S
    _trouble: str = ""
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    @property
    def name(self) -> str:
        """The driver's name."""
        return self.driver.name

    @property
    def depends_on(self) -> Sequence[str]:
        """What the driver depends on."""
        return self.driver.depends_on

    def start(self) -> None:
        """Wait until it answers, then keep looking."""
        self.driver.start()
        self._thread = threading.Thread(target=self._look, name=self.name, daemon=True)
        self._thread.start()

    def remark(self) -> Remark:
        """Tell what answers, or why nothing does now."""
        return Remark(is_well=not self._trouble, text=self._trouble or self.says())

    def look(self) -> None:
        """Ask once."""
        try:
            self.driver.ask()
        except Exception as error:  # noqa: BLE001 - whatever went wrong is why it does not answer
            if not self._trouble:
                logger.warning("%s", self.driver.complaint_about(error))
            self._trouble = self.driver.complaint_about(error)
        else:
            if self._trouble:
                logger.info("%s answers again", self.name)
            self._trouble = ""

    def _look(self) -> None:
        while not self._stopping.wait(self.every_s):
            self.look()

    def stop(self, deadline_s: float) -> None:
        """Stop looking and let go of it."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(deadline_s)
        self.driver.stop(deadline_s)
