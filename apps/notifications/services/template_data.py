"""A notification as templates see it: Alertmanager's data model, with a few names of ours."""

from detectviz.contracts.notifier import Notification, NotifiedAlert
from detectviz.contracts.types import AlertStatus
from detectviz.gotemplate.alertmanager import alerts, kv, moment
from detectviz.gotemplate.values import Struct


def template_data(notification: Notification) -> Struct:
    """Return ``.``: Receiver, Status, Alerts, GroupLabels, CommonLabels … as Alertmanager's.

    Ours are GroupKey, TruncatedAlerts, Org, RuleGroup, URL, IsTest and Actions (Name, Title, URL).
    """
    return Struct(
        {
            "Receiver": notification.receiver,
            "Status": notification.status.value,
            "Alerts": alerts([_alert(alert) for alert in notification.alerts]),
            "GroupLabels": kv(notification.group_labels),
            "CommonLabels": kv(notification.common_labels),
            "CommonAnnotations": kv(notification.common_annotations),
            "ExternalURL": notification.external_url,
            "GroupKey": notification.group_key,
            "TruncatedAlerts": notification.truncated_alerts,
            "Org": notification.org,
            "RuleGroup": notification.rule_group,
            "URL": notification.url,
            "IsTest": notification.is_test,
            "Actions": [
                Struct({"Name": action.name, "Title": action.title, "URL": action.url})
                for action in notification.actions
            ],
        }
    )


def _alert(alert: NotifiedAlert) -> Struct:
    is_over = alert.status is AlertStatus.RESOLVED
    return Struct(
        {
            "Status": alert.status.value,
            "Labels": kv(alert.labels),
            "Annotations": kv(alert.annotations),
            "StartsAt": moment(alert.starts_at),
            "EndsAt": moment(alert.ends_at if is_over else None),
            "GeneratorURL": alert.generator_url,
            "Fingerprint": alert.fingerprint,
            "Value": alert.value,
        }
    )
