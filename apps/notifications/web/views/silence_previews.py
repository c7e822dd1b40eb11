"""What a silence would mute, said while somebody types."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from django.http import HttpResponse
from django.views.decorators.http import require_POST

from apps.notifications.services.blast_radius import BlastRadius, blast_radius
from apps.notifications.services.recurrence import RecurrenceError, occurrences
from apps.notifications.services.silences import SilenceDraft, silence_problems
from apps.notifications.web.forms.silence_times import zone_of
from apps.notifications.web.forms.silences import (
    Problems,
    placed,
    silence_fields,
    silence_read,
)
from detectviz.clock import utc_now
from detectviz.contracts.durations import format_duration
from detectviz.contracts.types import JsonObject
from detectviz.web.forms import Errors
from detectviz.web.pages import PageRequest, render_page
from detectviz.web.parsing import parse_form
from detectviz.web.scope import OrgScope, org_page

_DAYS = 30
_NEXT = 4
_MOST_NAMES = 8
_MINUTE = "%a %-d %b %Y, %H:%M %Z"


@dataclass(frozen=True, kw_only=True)
class SilencePreview:
    """What a form would mute, and until when."""

    scope: OrgScope
    draft: SilenceDraft
    errors: Errors
    radius: BlastRadius | None
    now: datetime
    zone: tzinfo

    @property
    def matcher_problems(self) -> list[str]:
        """What is wrong with the matchers, once there are any."""
        return [text for name, texts in self.errors.items() if _is_of_sets(name) for text in texts]

    @property
    def time_problems(self) -> list[str]:
        """What is wrong with the times."""
        wrong = {"starts_at", "ends_at", "location", "repeat", "rrule", "until"}
        return [text for name, texts in self.errors.items() if name in wrong for text in texts]

    @property
    def when(self) -> str:
        """Until when it mutes, or for how long each time."""
        draft = self.draft
        if draft.rrule:
            minutes = max(round(draft.duration_ms / 60_000), 1)
            return f"For {format_duration(minutes * 60)} each time, next:"
        return f"Until {draft.ends_at.astimezone(self.zone):{_MINUTE}}."

    @property
    def times(self) -> list[str]:
        """When a recurring one mutes next."""
        return [f"{at:{_MINUTE}}" for at in self._occurrences] if self.draft.rrule else []

    @property
    def names(self) -> list[tuple[str, int]]:
        """What fired, the most frequent first."""
        return list(self.radius.fired_by_name.items())[:_MOST_NAMES] if self.radius else []

    @property
    def is_everything(self) -> bool:
        """Return whether all that fires would be muted."""
        found = self.radius
        return found is not None and 1 < found.firing_total == found.firing_count

    @property
    def is_unknown(self) -> bool:
        """Return whether nothing like it has fired."""
        found = self.radius
        return found is not None and not found.firing_count and not found.fired_count

    @property
    def _occurrences(self) -> Sequence[datetime]:
        draft = self.draft
        try:
            found = occurrences(
                draft.rrule,
                starts_at=draft.starts_at or self.now,
                ends_at=draft.ends_at,
                location=draft.location,
            )
        except RecurrenceError:
            return ()
        return [at for at in found if at >= self.now][:_NEXT]


@require_POST
@org_page("silences:read")
def silence_preview(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Say what the form would mute as it stands, and what it would be refused for."""
    fields = silence_fields([request.POST.get("folder", "")])
    page = _previewed(scope, parse_form(fields, request.POST), utc_now())
    return render_page(request, "notifications/partials/_silence_preview.html", page)


def _previewed(scope: OrgScope, answers: JsonObject, now: datetime) -> SilencePreview:
    draft, problems = silence_read(answers, now=now, stored=None)
    is_readable = not any(map(_is_of_sets, problems))
    if draft.matcher_sets:
        _add_refusals(problems, scope, draft, now)
    radius = None
    if draft.matcher_sets and is_readable:
        radius = blast_radius(
            org=scope.org,
            access=scope.access,
            matcher_sets=draft.matcher_sets,
            days=_DAYS,
            folder=str(answers.get("folder", "")).replace("\x00", ""),
            now=now,
        )
    return SilencePreview(
        scope=scope,
        draft=draft,
        errors=problems,
        radius=radius,
        now=now,
        zone=UTC if "location" in problems else zone_of(str(answers.get("location", "UTC"))),
    )


def _add_refusals(problems: Problems, scope: OrgScope, draft: SilenceDraft, now: datetime) -> None:
    """Add what the org would refuse where nothing else is wrong."""
    refused = silence_problems(org=scope.org, draft=draft, instance=None, now=now)
    for name, texts in placed(refused, is_recurring=bool(draft.rrule)).items():
        problems.setdefault(name, texts)


def _is_of_sets(name: str) -> bool:
    return name.partition("/")[0] == "sets"
