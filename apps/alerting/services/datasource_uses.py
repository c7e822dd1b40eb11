"""Which rules ask a datasource."""

from apps.alerting.models import Rule
from apps.datasources.models import Datasource
from apps.datasources.services.uses import datasource_uses_register


def rules_asking(datasource: Datasource) -> list[str]:
    """Return the rules that would be left without a datasource, switched off ones too."""
    names = {datasource.uid, datasource.name, *([""] if datasource.is_default else [])}
    rules = Rule.objects.for_org(datasource.org_id).filter(group__asks_datasources=True)
    return [
        f"rule {rule.name} of the group {rule.group.name}"
        for rule in rules.select_related("group").order_by("group__name", "position")
        if names & {query.get("datasource", "") for query in rule.queries}
    ]


datasource_uses_register("RuleGroup", rules_asking)
