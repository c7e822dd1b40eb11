"""What the sidebar shows of alerting."""

from detectviz.web.menu import MenuEntry

MENU = (
    MenuEntry(
        title="Alerts",
        icon="bell",
        route="alerting:alert-list",
        permission="alerts:read",
        section="Alert",
        order=10,
        covers=("alerting:alert",),
    ),
    MenuEntry(
        title="Rules",
        icon="list-details",
        route="alerting:rulegroup-list",
        permission="rulegroups:read",
        section="Alert",
        order=10,
        group="rules",
        covers=("alerting:rulegroup",),
    ),
    MenuEntry(
        title="Rule quality",
        icon="chart-bar",
        route="alerting:rulequality-list",
        permission="rulegroups:read",
        section="Alert",
        order=40,
        group="rules",
        covers=("alerting:rulequality",),
    ),
    MenuEntry(
        title="SLOs",
        icon="gauge",
        route="alerting:slo-list",
        permission="rulegroups:read",
        section="Alert",
        order=20,
        group="rules",
        covers=("alerting:slo",),
    ),
    MenuEntry(
        title="Anomalies",
        icon="activity",
        route="alerting:anomaly-list",
        permission="rulegroups:read",
        section="Alert",
        order=30,
        group="rules",
        covers=("alerting:anomaly",),
    ),
)
