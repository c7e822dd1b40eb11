"""Finding silences by their matchers or by words."""

from apps.notifications.models import Silence
from apps.notifications.services.matchers import MatcherError, parse_matcher, parse_matchers


def silence_matches(silence: Silence, text: str) -> bool:
    """Say whether a silence has each matcher that ``text`` writes, else each of its words.

    Words are looked for in matchers, title, comment, creator and name, whatever their case.
    """
    if not text:
        return True
    try:
        wanted = parse_matchers(text)
    except MatcherError:
        wanted = []
    written = [one for texts in silence.matcher_sets for one in texts]
    if wanted:
        own = {parse_matcher(one) for one in written}
        return all(matcher in own for matcher in wanted)
    parts = [*written, silence.title, silence.comment, silence.created_by, silence.name]
    told = "\n".join(parts).lower()
    return all(word in told for word in text.lower().split())
