"""What notifiers log stands under their name."""

import pytest

from apps.extensions.selectors import plugin_client
from apps.notifications.services.delivery import receiver_notify
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.journal import journal
from detectviz.testing.notifiers import make_notification


class Talking:
    """A notifier that logs."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Say something and deliver."""
        context.logger.warning("told %s", notification.receiver)
        return Receipt()


@pytest.mark.django_db
def test_the_lines_of_a_notifier_are_kept_under_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    running = plugin_client().running(PluginKind.NOTIFIER, "webhook")
    monkeypatch.setattr(running, "instance", Talking())
    notification = make_notification()
    attempt = receiver_notify(notifier="webhook", config={}, secrets={}, notification=notification)
    assert attempt.error is None
    lines = journal.lines((PluginKind.NOTIFIER, "webhook"))
    assert lines[0].text == f"told {notification.receiver}"
