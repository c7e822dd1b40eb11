"""What a silence is called when nobody says, and which matchers some alerts share."""

import re
from collections.abc import Mapping, Sequence

from apps.notifications.models import Silence
from apps.notifications.services.matchers import LabelMatcher, parse_matcher
from apps.notifications.services.silences import SilenceDraft
from detectviz.resources.models import new_uid

_LONGEST = 40
_UNIQUE = 6
_OTHERS = re.compile(r"[^a-z0-9]+")  # noqa: TID251 - a constant pattern of ours


def silence_name(draft: SilenceDraft) -> str:
    """Return a new name: what is silenced in a word, and what makes it the only one."""
    matchers = [parse_matcher(text) for texts in draft.matcher_sets for text in texts]
    named = [each.value for each in matchers if each.name == "alertname"]
    words = [draft.title, *named, draft.comment, *(each.value for each in matchers)]
    told = (_OTHERS.sub("-", word.lower()).strip("-")[:_LONGEST].strip("-") for word in words)
    return f"{next(filter(None, told), 'silence')}-{new_uid()[:_UNIQUE]}"


def silence_heading(silence: Silence) -> str:
    """Return what people call a silence: its title, else the first line of why."""
    return silence.title or silence.comment.partition("\n")[0] or silence.name


def common_matchers(labels: Sequence[Mapping[str, str]]) -> list[list[str]]:
    """Return the matcher sets of some alerts: what all have in common, else each one's labels."""
    if not labels:
        return []
    shared = set(labels[0].items()).intersection(*(each.items() for each in labels[1:]))
    wanted = [dict(shared)] if shared else list(labels)
    return [
        [str(LabelMatcher(name, "=", value)) for name, value in sorted(pairs.items()) if value]
        for pairs in wanted
    ]
