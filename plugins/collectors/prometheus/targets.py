"""From discovered groups to the targets to scrape, as Prometheus' ``scrape/target.go``."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode, urlsplit

from detectviz.contracts.collector import ScrapeTarget
from detectviz.contracts.discovery import TargetGroup
from detectviz.contracts.exposition.series import token_of
from detectviz.contracts.types import Labels
from plugins.collectors.prometheus.options import ScrapeOptions
from plugins.collectors.prometheus.relabeling import relabel

ADDRESS: Final = "__address__"
_PARAM: Final = "__param_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One target after relabelling. ``key`` tells it from all others of the monitor."""

    key: bytes
    url: str
    labels: Labels
    discovered_labels: Labels
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What there is to scrape, and what relabelling dropped."""

    active: tuple[Target, ...]
    dropped: tuple[ScrapeTarget, ...]


def find_targets(groups: Iterable[TargetGroup], options: ScrapeOptions) -> Targets:
    """Return the targets; those with equal labels and URL are one."""
    active: dict[tuple[bytes, str], Target] = {}
    dropped = []
    for group in groups:
        for own in group.targets:
            discovered = _with_defaults({**group.labels, **own}, options)
            labels = relabel(discovered, options.relabel_rules)
            if labels is None:
                dropped.append(ScrapeTarget(discovered_labels=discovered))
                continue
            target = _target(labels, discovered, options)
            active.setdefault((target.key, target.url), target)
    return Targets(active=tuple(active.values()), dropped=tuple(dropped))


def _with_defaults(labels: Labels, options: ScrapeOptions) -> dict[str, str]:
    defaults = {
        **options.labels,
        "job": options.job,
        "__scrape_timeout__": f"{options.timeout_s:g}s",
        "__metrics_path__": options.metrics_path,
        "__scheme__": options.scheme,
    }
    defaults |= {f"{_PARAM}{name}": each for name, each in options.params.items()}
    found = {name: value for name, value in labels.items() if value}
    return {**defaults, **found}


def _target(labels: dict[str, str], discovered: Labels, options: ScrapeOptions) -> Target:
    address = labels.get(ADDRESS, "")
    error = _address_error(address)
    url = _url(labels, options)
    public = {name: value for name, value in labels.items() if not name.startswith("__")}
    public.setdefault("instance", address or "unknown")
    return Target(
        key=token_of(public),
        url=url,
        labels=public,
        discovered_labels=discovered,
        error=error or _url_error(url),
    )


def _address_error(address: str) -> str:
    if not address:
        return "the target has no address: relabelling took __address__ away"
    if "/" in address:
        return f"{address!r} is not a valid hostname: write host:port, the path in metrics_path"
    return ""


def _url_error(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        is_usable = False
    return "" if is_usable else f"{url!r} is no URL that can be scraped"


def _url(labels: Labels, options: ScrapeOptions) -> str:
    params = dict(options.params)
    for name, value in labels.items():
        if name.startswith(_PARAM):
            params[name.removeprefix(_PARAM)] = value
    query = urlencode(sorted(params.items()))
    path = labels.get("__metrics_path__", "")
    path = path if path.startswith("/") or not path else f"/{path}"
    separator = "&" if "?" in path else "?"
    return (
        f"{labels.get('__scheme__', '')}://{labels.get(ADDRESS, '')}{path}"
        f"{separator + query if query else ''}"
    )
