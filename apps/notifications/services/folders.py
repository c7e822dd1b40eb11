"""Where an alert lies: in the folder of its rule group."""

from apps.alerting.selectors import rulegroup_folders
from apps.notifications.services.alert_facts import AlertFacts
from apps.notifications.services.causes import Snapshot


def is_of_folder(alert: AlertFacts, folder_id: int | None, snapshot: Snapshot) -> bool:
    """Say whether an alert is of a folder's rule groups; every alert is of no folder."""
    if folder_id is None:
        return True
    folders = snapshot.recall("folders", lambda: rulegroup_folders(snapshot.org_id))
    return bool(alert.rule_group) and folders.get(alert.rule_group) == folder_id
