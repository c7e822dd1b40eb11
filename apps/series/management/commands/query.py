"""`detectviz query 'PROMQL' [--range 1h --step 15s]`."""

from argparse import ArgumentParser
from typing import Any

import orjson
from django.core.management.base import CommandError

from apps.orgs.selectors import org_get
from apps.series.selectors.queries import query_instant, query_range
from detectviz.cli.base import OrgCommand
from detectviz.clock import to_ms, utc_now
from detectviz.contracts.durations import parse_duration_ms
from detectviz.promql.errors import PromqlError
from detectviz.promql.json import result_json
from detectviz.promql.results import Result
from detectviz.resources.errors import NotFoundError


class Command(OrgCommand):
    """Ask an org's time series."""

    help = "Evaluate PromQL now, or over a range that ends now."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        super().add_arguments(parser)
        parser.add_argument("promql")
        parser.add_argument("--range", default="", help="a duration such as 1h")
        parser.add_argument("--step", default="15s")
        parser.add_argument("-o", "--output", choices=("table", "json"), default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        """Evaluate and print."""
        org = org_get(options["org"])
        if org is None:
            raise NotFoundError(f"There is no org {options['org']!r}.")
        try:
            result = self._result(org.uid, options)
        except (PromqlError, ValueError) as error:
            raise CommandError(str(error)) from error
        answer = result_json(result)
        for warning in result.warnings:
            self.stderr.write(warning)
        if options["output"] == "json":
            self.stdout.write(orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode())
        else:
            self.print_table(("SERIES", "TIME", "VALUE"), _rows(answer))

    def _result(self, tenant: str, options: dict[str, Any]) -> Result:
        now_ms = to_ms(utc_now())
        if not options["range"]:
            return query_instant(tenant=tenant, promql=options["promql"], at_ms=now_ms).result
        return query_range(
            tenant=tenant,
            promql=options["promql"],
            start_ms=now_ms - parse_duration_ms(options["range"]),
            end_ms=now_ms,
            step_ms=parse_duration_ms(options["step"]),
        ).result


def _rows(answer: dict[str, Any]) -> list[tuple[str, str, str]]:
    if answer["resultType"] in {"scalar", "string"}:
        at, value = answer["result"]
        return [("", str(at), value)]
    rows: list[tuple[str, str, str]] = []
    for series in answer["result"]:
        points = _points(series, "value") + _points(series, "histogram")
        rows += [(_shown(series["metric"]), str(at), _text(value)) for at, value in points]
    return rows


def _points(series: dict[str, Any], kind: str) -> list[Any]:
    return [series[kind]] if kind in series else list(series.get(f"{kind}s", ()))


def _text(value: str | dict[str, Any]) -> str:
    return value if isinstance(value, str) else f"count {value['count']}, sum {value['sum']}"


def _shown(labels: dict[str, str]) -> str:
    name = labels.get("__name__", "")
    rest = ", ".join(f'{key}="{value}"' for key, value in labels.items() if key != "__name__")
    return f"{name}{{{rest}}}" if rest else name
