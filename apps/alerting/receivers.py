"""React to what happens elsewhere: a new org, a worker after a crash."""

from apps.alerting.services.builtin import builtin_create
from apps.alerting.services.groups import groups_release, groups_release_gone
from apps.orgs.selectors import org_get_by_id
from detectviz.clock import utc_now
from detectviz.events.bus import subscribe
from detectviz.events.types import OrgCreated, SoleWorkerStarts, WorkerStarts


@subscribe(OrgCreated)
def on_org_created(event: OrgCreated) -> None:
    """Add the built-in rules."""
    builtin_create(org=org_get_by_id(event.org_id), now=utc_now())


@subscribe(SoleWorkerStarts)
def on_sole_worker_starts(event: SoleWorkerStarts) -> None:
    """Free what an earlier life was evaluating."""
    groups_release()


@subscribe(WorkerStarts)
def on_worker_starts(event: WorkerStarts) -> None:
    """Free what a killed worker of this machine was evaluating."""
    groups_release_gone()
