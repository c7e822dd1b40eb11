"""Ask a service whether it has what it was told: the second verb of notifiers that can."""

from dataclasses import dataclass, replace

from apps.extensions.selectors import plugin_client
from apps.notifications.models import Delivery
from apps.notifications.services.delivery import Target, target_of
from apps.notifications.services.outward import notifier_context
from apps.notifications.services.payload import notification_to_send
from apps.notifications.services.templates import library_of, notification_render
from apps.notifications.services.threads import thread_of
from detectviz.contracts.errors import PluginError
from detectviz.contracts.read_back import NotReadableError, ReadsBack, Told
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.errors import MethodNotImplementedError, PluginHostError

TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What came of looking: found, not found (``note`` may say why), or nobody can look."""

    is_found: bool = False
    is_readable: bool = True
    note: str = ""


def delivery_read_back(*, delivery: Delivery, fingerprint: str) -> Reading:
    """Look for one alert of a delivery at the service that took it; failures are readings."""
    target = target_of(delivery)
    if target is None:
        return Reading(note="The receiver was removed meanwhile.")
    try:
        return Reading(is_found=_ask(delivery, target, fingerprint))
    except MethodNotImplementedError:
        return Reading(is_readable=False, note="This service lets nobody read back.")
    except PluginHostError as error:
        cause = error.__cause__
        note = cause.message if isinstance(cause, PluginError) else str(error)
        return Reading(is_readable=not isinstance(cause, NotReadableError), note=note)


def _ask(delivery: Delivery, target: Target, fingerprint: str) -> bool:
    notifier, notification = target.receiver["notifier"], notification_to_send(delivery)
    rendered = notification_render(
        library=library_of(org_id=delivery.org_id),
        notification=notification,
        receiver=target.receiver,
        schema=target.schema,
    )
    context = notifier_context(
        notifier=notifier,
        config=dict(rendered.config),
        secrets=target.secrets,
        timeout_s=TIMEOUT_S,
        thread={},
        org=notification.org,
    )
    own = tuple(each for each in notification.alerts if each.fingerprint == fingerprint)
    told = Told(
        notification=replace(notification, alerts=own),
        external_id=delivery.external_id,
        thread=thread_of(delivery=delivery, notifier=notifier),
    )

    def read_back(plugin: ReadsBack) -> bool:
        return plugin.read_back(told, context)

    return plugin_client().call(
        PluginKind.NOTIFIER, notifier, "read_back", read_back, org=notification.org or None
    )
