"""`detectviz query 'PROMQL' [--range 1h --step 15s]`, `… 'QUERY' --datasource NAME`."""

from argparse import ArgumentParser
from typing import Any

import orjson
from django.core.management.base import CommandError

from apps.datasources.services.asking import text_ask
from apps.orgs.selectors import org_get
from apps.series.selectors.queries import query_instant, query_range
from detectviz.cli.base import OrgCommand
from detectviz.clock import to_ms, utc_now
from detectviz.contracts.durations import parse_duration_ms
from detectviz.contracts.frames import Field, FieldType
from detectviz.contracts.record_documents import format_time
from detectviz.promql.errors import PromqlError
from detectviz.promql.json import result_json
from detectviz.promql.results import Result
from detectviz.queries.caps import plain_values
from detectviz.queries.encoding.csv_rows import results_csv
from detectviz.queries.encoding.own import results_json
from detectviz.queries.model import Results
from detectviz.resources.errors import NotFoundError


class Command(OrgCommand):
    """Ask an org's time series, or one of its datasources."""

    help = "Evaluate PromQL now or over a range that ends now, or ask a datasource in its language."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        super().add_arguments(parser)
        parser.add_argument("promql", metavar="query")
        parser.add_argument(
            "--datasource",
            default="",
            help="uid or name; the query is in its language, or a JSON object",
        )
        parser.add_argument("--range", default="", help="a duration such as 1h")
        parser.add_argument("--step", default="15s")
        parser.add_argument("-o", "--output", choices=("table", "json", "csv"), default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        """Evaluate and print."""
        org = org_get(options["org"])
        if org is None:
            raise NotFoundError(f"There is no org {options['org']!r}.")
        if options["datasource"]:
            self._ask(org, options)
            return
        if options["output"] == "csv":
            raise CommandError("-o csv is for --datasource; choose table or json.")
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

    def _ask(self, org: Any, options: dict[str, Any]) -> None:
        (outcome,) = text_ask(
            org=org,
            datasource=options["datasource"],
            text=options["promql"],
            start=f"now-{options['range'] or '1h'}",
            end="now",
            now_ms=to_ms(utc_now()),
        ).shown()
        if outcome.error is not None:
            raise CommandError(outcome.error.message)
        write = {"json": results_json, "csv": results_csv}.get(options["output"])
        if write is not None:
            text = b"".join(write(Results({"A": outcome}))).decode()
            self.stdout.write(text, ending="" if text.endswith("\n") else "\n")
            return
        for frame in outcome.frames:
            for notice in frame.notices:
                self.stderr.write(notice.text)
            columns = [_cells(each) for each in frame.fields]
            rows = list(zip(*columns, strict=True))
            self.print_table([each.name for each in frame.fields], rows)

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


def _cells(field: Field) -> list[str]:
    is_time = field.type is FieldType.TIME
    return [
        "" if value is None else format_time(int(str(value))) if is_time else str(value)
        for value in plain_values(field)
    ]


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
