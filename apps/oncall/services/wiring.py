"""Tells notifications, which know no higher app, what is found here."""

from apps.notifications.services.escalation import PolicySource, policy_source_use
from apps.notifications.services.payload import action_source_use
from apps.notifications.services.receivers import receiver_source_use
from apps.oncall.services.links import delivery_actions
from apps.oncall.services.methods import SIGN, personal_receiver
from apps.oncall.services.policies import policies_telling, policy_titles


def wire() -> None:
    """Register what this app answers for."""
    action_source_use(delivery_actions)
    policy_source_use(PolicySource(titles=policy_titles, telling=policies_telling))
    receiver_source_use(SIGN, personal_receiver)
