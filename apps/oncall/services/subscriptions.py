"""Browsers that people are told in: subscribed from their page, taken away when they are gone."""

from collections.abc import Mapping
from datetime import datetime

from django.db import models

from apps.accounts.models import User
from apps.notifications.services.trials import TrialResult
from apps.oncall.models import ContactMethod
from apps.oncall.services.methods import SIGN, method_retire, method_verify, method_write
from apps.oncall.services.vapid import WEB_PUSH
from detectviz.events.types import ReceiverGone

# In this order: browsers name those they descend from.
_BROWSERS = {
    "Edg/": "edge",
    "OPR/": "opera",
    "Firefox/": "firefox",
    "Chrome/": "chrome",
    "Safari/": "safari",
}
_SYSTEMS = {
    "Android": "android",
    "iPhone": "iphone",
    "iPad": "ipad",
    "Windows": "windows",
    "Mac OS X": "mac",
    "Linux": "linux",
}


def subscription_register(
    *,
    org: models.Model,
    user: User,
    subscription: Mapping[str, str],
    user_agent: str,
    now: datetime,
) -> TrialResult:
    """Make a browser's subscription a method of somebody and send a test there.

    ``subscription`` has endpoint, p256dh and auth, as the browser gave them. One that is known is
    written again under its name. Raises InvalidFieldsError; the method stays where the test fails.
    """
    methods = list(ContactMethod.objects.for_org(org).filter(user=user))
    endpoint = subscription["endpoint"]
    known = [one for one in methods if one.notifier == WEB_PUSH]
    same = [one.name for one in known if one.secrets.get("endpoint") == endpoint]
    taken = {one.name for one in methods}
    name = same[0] if same else _free(browser_name(user_agent), taken)
    method_write(
        org=org,
        user=user,
        name=name,
        notifier=WEB_PUSH,
        config={"p256dh": subscription["p256dh"]},
        secrets={"endpoint": endpoint, "auth": subscription["auth"]},
    )
    return method_verify(org=org, user=user, name=name, now=now)


def subscription_retire(*, event: ReceiverGone) -> None:
    """Take away a browser's subscription that its push service says is over."""
    if event.notifier == WEB_PUSH and event.contact_point.startswith(SIGN):
        person = event.contact_point.removeprefix(SIGN)
        method_retire(org_id=event.org_id, person=person, name=event.receiver)


def browser_name(user_agent: str) -> str:
    """Return a name for a browser by what it says of itself, such as ``firefox-linux``."""
    browser = next((name for sign, name in _BROWSERS.items() if sign in user_agent), "browser")
    system = next((name for sign, name in _SYSTEMS.items() if sign in user_agent), "")
    return f"{browser}-{system}" if system else browser


def _free(name: str, taken: set[str]) -> str:
    numbered = (f"{name}-{number}" if number > 1 else name for number in range(1, len(taken) + 2))
    return next(one for one in numbered if one not in taken)
