"""Those who can be named in schedules and policies: a user ``alice`` or a team ``team:web``."""

from collections.abc import Iterable

from django.db import models

from apps.accounts.models import Membership
from apps.accounts.selectors import membership_list, team_list
from detectviz.resources.errors import InvalidFieldsError

TEAM = "team:"


def participants_require(*, org: models.Model, named: Iterable[tuple[str, str]]) -> None:
    """Raise InvalidFieldsError for the (path, participant) that are not of this org."""
    people = set(membership_list(org).values_list("name", flat=True))
    teams = {f"{TEAM}{name}" for name in team_list(org).values_list("name", flat=True)}
    errors = {
        path: [f"There is no {_noun(name)} {name.removeprefix(TEAM)!r} here."]
        for path, name in named
        if name not in people and name not in teams
    }
    if errors:
        raise InvalidFieldsError(errors)


def participant_list(*, org: models.Model) -> list[tuple[str, str]]:
    """Return whom one can choose, as (name, what to show)."""
    people = [(one.name, one.user.get_full_name() or one.name) for one in membership_list(org)]
    teams = [(f"{TEAM}{one.name}", f"{one.title or one.name} (team)") for one in team_list(org)]
    return people + teams


def members_of(*, org: models.Model, participant: str) -> list[Membership]:
    """Return the active people a participant stands for, by name."""
    people = membership_list(org).filter(is_active=True, user__is_active=True)
    if not participant.startswith(TEAM):
        return list(people.filter(name=participant))
    team = team_list(org).filter(name=participant.removeprefix(TEAM)).first()
    if team is None:
        return []
    return list(people.filter(user__groups=team.group_id))


def _noun(name: str) -> str:
    return "team" if name.startswith(TEAM) else "user"
