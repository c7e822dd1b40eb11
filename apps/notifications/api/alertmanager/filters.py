"""What a request for alerts, groups or receivers asks for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import re2
from django.http import HttpRequest, QueryDict

from apps.notifications.services.matchers import (
    LabelMatcher,
    MatcherError,
    all_match,
    parse_matcher,
)
from detectviz.doors.alertmanager import AnswerError

# Go's swag.ConvertBool
_TRUE = frozenset({"true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFilter:
    """Which alerts are wanted; everything by default."""

    active: bool
    silenced: bool
    inhibited: bool
    muted: bool
    matchers: Sequence[LabelMatcher]
    receiver: "re2._Regexp[str] | None"
    receiver_matchers: Sequence[LabelMatcher]

    @classmethod
    def of(cls, request: HttpRequest) -> "AlertFilter":
        """Read a request's."""
        query = request.GET
        return cls(
            active=is_wanted(query, "active"),
            silenced=is_wanted(query, "silenced"),
            inhibited=is_wanted(query, "inhibited"),
            muted=is_wanted(query, "muted"),
            matchers=matchers_of(query, "filter"),
            receiver=_receiver(query),
            receiver_matchers=receiver_matchers_of(query),
        )

    def wants_labels(self, labels: Mapping[str, str]) -> bool:
        """Say whether an alert with these labels is wanted."""
        return all_match(self.matchers, labels)

    def wants_receivers(self, names: Iterable[str]) -> bool:
        """Say whether one of an alert's receivers is asked for."""
        if self.receiver is None and not self.receiver_matchers:
            return True
        names = list(names)
        return any(self._is_named(name) for name in names) and any(
            receiver_matches(self.receiver_matchers, name) for name in names
        )

    def wants_receiver(self, name: str) -> bool:
        """Say whether groups of this receiver are wanted."""
        return self._is_named(name) and receiver_matches(self.receiver_matchers, name)

    def _is_named(self, name: str) -> bool:
        return self.receiver is None or self.receiver.fullmatch(name) is not None


def receiver_matches(matchers: Sequence[LabelMatcher], name: str) -> bool:
    """Say whether a receiver is asked for; its one label is its name."""
    return all_match(matchers, {"name": name})


def receiver_matchers_of(query: QueryDict) -> list[LabelMatcher]:
    """Return the matchers on receivers."""
    return matchers_of(query, "receiver_matchers", "failed to parse receiver_matchers param: ")


def matchers_of(query: QueryDict, name: str, prefix: str = "") -> list[LabelMatcher]:
    """Return the matchers of a repeated parameter; refuse what is none."""
    try:
        return [parse_matcher(text) for text in query.getlist(name)]
    except MatcherError as error:
        raise AnswerError(400, f"{prefix}{error}") from error


def is_wanted(query: QueryDict, name: str) -> bool:
    """Return a switch that is on unless it says otherwise."""
    return str(query.get(name, "true")).lower() in _TRUE


def _receiver(query: QueryDict) -> "re2._Regexp[str] | None":
    text = query.get("receiver")
    if text is None:
        return None
    options = re2.Options()
    options.max_mem = 8 * 1024 * 1024
    options.log_errors = False
    try:
        return re2.compile(str(text), options)
    except re2.error as error:
        raise AnswerError(400, f"failed to parse receiver param: {error}") from error
