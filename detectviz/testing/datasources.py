"""The conformance suite of datasources: every one's tests subclass it.

class TestConformance(DatasourceConformance):
    name = "testdata"
    queries = ({"scenario": "random_walk"},)
    wrong_queries = (({"scenario": "csv", "content": ""}, "content"),)

    @pytest.fixture
    def settings(self) -> DatasourceSettings:
        return datasource_settings("testdata")

One that asks over HTTP sets ``speaks_http`` and overrides the fixture ``http`` (a FakeHttp with
recorded answers, or the real client); one that reads the org's series overrides ``series``.
"""

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import ClassVar, Final, cast

import pytest

from detectviz.contracts.datasource import (
    DataQuery,
    Datasource,
    DatasourceContext,
    DatasourceSettings,
    Health,
    HealthChecker,
    ResourceCaller,
    ResourceRequest,
)
from detectviz.contracts.errors import EgressDeniedError, PluginError, QueryError
from detectviz.contracts.frames import Field, FieldType, Frame
from detectviz.contracts.manifest import Manifest
from detectviz.contracts.network import HttpClient
from detectviz.contracts.series import SeriesQuerier
from detectviz.contracts.types import JsonObject, JsonValue, PluginKind
from detectviz.pluginhost.configuration import validate
from detectviz.pluginhost.schema import secret_paths, walk_properties
from detectviz.testing.datasource_fakes import (
    DENIED,
    Cancellation,
    FakeConnector,
    FakeHttp,
    MemoryInstances,
    bad_answers,
    data_query,
    datasource_context,
)
from detectviz.testing.plugins import built_in_plugins
from detectviz.testing.services import free_port

SHORT_S: Final = 0.3
SOON_S: Final = 5.0
FEW_ROWS: Final = 5
FEW_BYTES: Final = 300
# Bytes counted for a cell that is no text; what a plugin counts may differ a little.
_CELL_BYTES: Final = 8


class DatasourceSubject:
    """What a plugin's tests say of it, and what the suite asks of it."""

    name: ClassVar[str]
    queries: ClassVar[Sequence[JsonObject]]
    # (a query the plugin or its server refuses, words of the reason)
    wrong_queries: ClassVar[Sequence[tuple[JsonObject, str]]]
    # A query that answers more than FEW_ROWS rows and FEW_BYTES bytes; the first one if None.
    long_query: ClassVar[JsonObject | None] = None
    # A query that takes more than SOON_S seconds, if the datasource has one.
    slow_query: ClassVar[JsonObject | None] = None
    # It connects to a host: through context.http where speaks_http, else through the connector.
    has_network: ClassVar[bool] = True
    speaks_http: ClassVar[bool] = False
    # Secrets the server refuses; None where there is nothing to sign in to.
    wrong_secrets: ClassVar[Mapping[str, str] | None] = None

    # --- what a plugin's tests override -----------------------------------------------------

    @pytest.fixture
    def settings(self) -> DatasourceSettings:
        """Return settings that work."""
        raise NotImplementedError

    @pytest.fixture
    def other_settings(self) -> DatasourceSettings | None:
        """Return settings of another server or database, that answers ``queries`` otherwise."""
        return None

    @pytest.fixture
    def http(self) -> HttpClient | None:
        """Return the way to the server, for those who speak HTTP."""
        return None

    @pytest.fixture
    def series(self) -> SeriesQuerier | None:
        """Return the org's series, for those who read them."""
        return None

    @pytest.fixture
    def connector(self) -> FakeConnector:
        """Return the guarded way of client libraries."""
        return FakeConnector()

    @pytest.fixture
    def fresh(self) -> Iterator[Callable[[], MemoryInstances]]:
        """Yield what makes the instances of one more datasource; all are closed afterwards."""
        made: list[MemoryInstances] = []

        def make() -> MemoryInstances:
            made.append(MemoryInstances())
            return made[-1]

        yield make
        for instances in made:
            instances.close()

    # --- what a test may ask ----------------------------------------------------------------

    @property
    def manifest(self) -> Manifest:
        """The plugin's manifest."""
        return built_in_plugins().manifest(PluginKind.DATASOURCE, self.name)

    def datasource(self) -> Datasource:
        """Load the plugin as the host does."""
        return built_in_plugins().load(PluginKind.DATASOURCE, self.name)

    def data_query(self, model: JsonObject) -> DataQuery:
        """Return a query of the last hour, defaults filled."""
        return data_query(self.name, model)

    @pytest.fixture
    def context(
        self,
        settings: DatasourceSettings,
        connector: FakeConnector,
        http: HttpClient | None,
        series: SeriesQuerier | None,
        fresh: Callable[[], MemoryInstances],
    ) -> DatasourceContext:
        """Return the context of one call; what it keeps is closed afterwards."""
        return datasource_context(
            settings, connector=connector, instances=fresh(), http=http, series=series
        )


class DatasourceConformance(DatasourceSubject):
    """Subclass as ``Test…``, say which plugin and queries, and give the fixture ``settings``."""

    # --- manifest and schemas ---------------------------------------------------------------

    def test_it_can_be_loaded_and_is_a_datasource(self) -> None:
        assert self.manifest.kind is PluginKind.DATASOURCE
        assert callable(self.datasource().query)

    def test_every_option_has_a_title_and_a_description(self) -> None:
        for schema in (self.manifest.config_schema, self.manifest.query_schema):
            for path, described in walk_properties(schema):
                assert described.get("title"), path
                assert described.get("description"), path

    def test_a_query_has_no_secrets(self) -> None:
        assert not list(secret_paths(self.manifest.query_schema))

    def test_misspelt_options_are_refused_by_name(self, settings: DatasourceSettings) -> None:
        config = {**settings.json_data, "no_such": 1}
        query = {**self.queries[0], "no_such": 1}
        for schema, given in (
            (self.manifest.config_schema, config),
            (self.manifest.query_schema, query),
        ):
            problems = validate(schema, given, {}).problems
            assert any("no_such" in f"{each.field} {each.message}" for each in problems)

    # --- answers ----------------------------------------------------------------------------

    def test_every_query_is_answered_with_well_formed_frames(
        self, context: DatasourceContext
    ) -> None:
        for model in self.queries:
            frames = self.datasource().query(self.data_query(model), context)
            assert frames, model
            for frame in frames:
                assert_frame(frame)
                assert not frame.ref_id, "the host sets ref_id"

    def test_series_stay_inside_of_the_range(self, context: DatasourceContext) -> None:
        for model in self.queries:
            query = self.data_query(model)
            for frame in self.datasource().query(query, context):
                if frame.shape == "time-series" and frame.rows:
                    times = [cast("int", each) for each in frame.fields[0].values]
                    assert min(times) >= query.range.start_ms - query.interval_ms, model
                    assert max(times) <= query.range.end_ms, model

    def test_a_wrong_query_is_refused_with_its_reason(self, context: DatasourceContext) -> None:
        for model, reason in self.wrong_queries:
            with pytest.raises(QueryError) as caught:
                self.datasource().query(self.data_query(model), context)
            assert reason.lower() in caught.value.message.lower(), model
            assert 400 <= caught.value.status < 500

    # --- limits -----------------------------------------------------------------------------

    def test_reading_stops_at_the_most_rows_with_a_warning(
        self, context: DatasourceContext
    ) -> None:
        few = replace(context, max_rows=FEW_ROWS)
        self._assert_stops(few, lambda frames: sum(each.rows for each in frames) <= FEW_ROWS)

    def test_reading_stops_at_the_most_bytes_with_a_warning(
        self, context: DatasourceContext
    ) -> None:
        few = replace(context, max_bytes=FEW_BYTES)
        self._assert_stops(few, lambda frames: sum(map(frame_bytes, frames)) <= 2 * FEW_BYTES)

    def test_a_slow_query_ends_at_its_timeout(self, context: DatasourceContext) -> None:
        self._assert_ends_soon(replace(context, timeout_s=SHORT_S))

    def test_a_query_nobody_waits_for_ends(self, context: DatasourceContext) -> None:
        self._assert_ends_soon(replace(context, is_cancelled=Cancellation(SHORT_S)))

    # --- health -----------------------------------------------------------------------------

    def test_its_health_is_ok(self, context: DatasourceContext) -> None:
        health = self._health(context)
        assert health.status == "ok", health.message

    def test_a_wrong_password_is_told(
        self,
        context: DatasourceContext,
        settings: DatasourceSettings,
        fresh: Callable[[], MemoryInstances],
    ) -> None:
        if self.wrong_secrets is None:
            pytest.skip("it signs in to nothing")
        wrong = replace(settings, secrets={**settings.secrets, **self.wrong_secrets})
        context = replace(context, settings=wrong, instances=fresh())
        assert self._health(context).status == "error"
        with pytest.raises(PluginError):
            self.datasource().query(self.data_query(self.queries[0]), context)

    def test_a_server_that_is_not_there_is_told(
        self,
        context: DatasourceContext,
        settings: DatasourceSettings,
        fresh: Callable[[], MemoryInstances],
    ) -> None:
        self._skip_without_network()
        nowhere = replace(settings, url=f"127.0.0.1:{free_port()}")
        refused = FakeHttp(bad_answers()["refused"])
        context = replace(context, http=refused, instances=fresh())
        if not self.speaks_http:
            context = replace(context, settings=nowhere)
        assert self._health(context).status == "error"
        with pytest.raises(PluginError) as caught:
            self.datasource().query(self.data_query(self.queries[0]), context)
        assert not caught.value.permanent, "a server that is down may come back"

    def test_an_address_the_egress_guard_denies_is_told_and_not_reached(
        self, context: DatasourceContext, fresh: Callable[[], MemoryInstances]
    ) -> None:
        self._skip_without_network()
        context = replace(
            context,
            connector=FakeConnector(error=EgressDeniedError(DENIED)),
            http=FakeHttp(bad_answers()["denied"]),
            instances=fresh(),
        )
        health = self._health(context)
        assert health.status == "error"
        assert DENIED in health.message
        with pytest.raises(EgressDeniedError):
            self.datasource().query(self.data_query(self.queries[0]), context)

    @pytest.mark.parametrize("behaviour", bad_answers())
    def test_whatever_a_server_answers_it_bears_it(
        self, context: DatasourceContext, fresh: Callable[[], MemoryInstances], behaviour: str
    ) -> None:
        if not self.speaks_http:
            pytest.skip("it does not speak HTTP")
        http = FakeHttp(bad_answers()[behaviour])
        context = replace(context, http=http, instances=fresh())
        for model in self.queries:
            answer = _outcome(self.datasource(), self.data_query(model), context)
            self._assert_no_secret(context, answer)
        self._assert_no_secret(context, self._health(context))

    # --- secrets, neighbours, threads -------------------------------------------------------

    def test_no_secret_is_in_an_answer_an_error_or_the_log(
        self,
        context: DatasourceContext,
        fresh: Callable[[], MemoryInstances],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.DEBUG)
        denied = FakeConnector(error=EgressDeniedError(DENIED))
        unreachable = replace(context, connector=denied, http=FakeHttp(bad_answers()["denied"]))
        unreachable = replace(unreachable, instances=fresh())
        for each in (context, unreachable):
            for model in (*self.queries, *(wrong for wrong, _ in self.wrong_queries)):
                answer = _outcome(self.datasource(), self.data_query(model), each)
                self._assert_no_secret(each, answer)
            if hasattr(self.datasource(), "check_health"):
                self._assert_no_secret(each, self._health(each))
        self._assert_no_secret(context, caplog.text)

    def test_two_datasources_do_not_mix(
        self,
        context: DatasourceContext,
        other_settings: DatasourceSettings | None,
        fresh: Callable[[], MemoryInstances],
    ) -> None:
        if other_settings is None:
            pytest.skip("there is no second one to compare with")
        other = replace(context, settings=other_settings, instances=fresh())
        query = self.data_query(self.queries[0])
        first, second, again = (
            _plain(self.datasource().query(query, each)) for each in (context, other, context)
        )
        assert first == again
        assert first != second

    def test_threads_get_the_answers_of_one(self, context: DatasourceContext) -> None:
        query = self.data_query(self.queries[0])
        expected = _plain(self.datasource().query(query, context))
        with ThreadPoolExecutor(8) as pool:
            futures = [pool.submit(self.datasource().query, query, context) for _ in range(16)]
            assert all(_plain(each.result()) == expected for each in futures)

    def test_a_resource_there_is_not_is_a_404(self, context: DatasourceContext) -> None:
        datasource = self.datasource()
        if not hasattr(datasource, "call_resource"):
            pytest.skip("it has no resources")
        request = ResourceRequest(path="no/such/resource")
        with pytest.raises(QueryError) as caught:
            cast("ResourceCaller", datasource).call_resource(request, context)
        assert caught.value.status == 404

    # --- the work behind --------------------------------------------------------------------

    def _skip_without_network(self) -> None:
        if not self.has_network:
            pytest.skip("it connects to nothing")

    def _health(self, context: DatasourceContext) -> Health:
        datasource = self.datasource()
        if not hasattr(datasource, "check_health"):
            pytest.skip("it has no health check")
        health = cast("HealthChecker", datasource).check_health(context)
        assert isinstance(health, Health)
        assert health.message
        return health

    def _assert_stops(self, context: DatasourceContext, is_short: object) -> None:
        query = self.data_query(self.long_query or self.queries[0])
        try:
            frames = self.datasource().query(query, context)
        except QueryError as error:
            assert error.status == 413, error  # noqa: PT017 - a refusal is the other right answer
            return
        assert callable(is_short)
        assert is_short(frames)
        notices = [notice for frame in frames for notice in frame.notices]
        assert any(notice.severity == "warning" for notice in notices), "no word of what was cut"
        for frame in frames:
            assert_frame(frame)

    def _assert_ends_soon(self, context: DatasourceContext) -> None:
        if self.slow_query is None:
            pytest.skip("it has no query that takes long")
        started = time.monotonic()
        with pytest.raises(PluginError):
            self.datasource().query(self.data_query(self.slow_query), context)
        assert time.monotonic() - started < SOON_S

    def _assert_no_secret(self, context: DatasourceContext, answer: object) -> None:
        shown = str(_plain(answer)) if isinstance(answer, (list, tuple)) else str(answer)
        if isinstance(answer, Exception):
            shown += f"{answer.__cause__} {answer.__context__}"
        for name, secret in context.settings.secrets.items():
            assert secret not in shown, name


def assert_frame(frame: Frame) -> None:
    """Fail unless ``frame`` is what the contract says."""
    assert isinstance(frame, Frame)
    for field in frame.fields:
        assert len(field.values) == frame.rows, f"{field.name} has another length"
        _assert_values(field)
        assert all(isinstance(text, str) for pair in field.labels.items() for text in pair)
    types = [field.type for field in frame.fields]
    if frame.shape == "time-series" and types:
        assert types[0] is FieldType.TIME
        assert set(types[1:]) <= {FieldType.NUMBER, FieldType.BOOLEAN}
        times = [each for each in frame.fields[0].values if each is not None]
        assert times == sorted(times), "points are in order of time"  # type: ignore[type-var] # times are ints
    if frame.shape == "numeric":
        assert set(types) <= {FieldType.NUMBER}
        assert frame.rows <= 1
    if frame.shape == "logs":
        assert FieldType.TIME in types
        assert any(each.name == "body" for each in frame.fields)
    names = [(field.name, *sorted(field.labels.items())) for field in frame.fields]
    assert len(set(names)) == len(names), "a field is there twice"


def frame_bytes(frame: Frame) -> int:
    """Return about how many bytes the values of ``frame`` are."""
    return sum(
        len(value.encode()) if isinstance(value, str) else _CELL_BYTES
        for field in frame.fields
        for value in field.values
    )


def _assert_values(field: Field) -> None:
    wanted: dict[FieldType, tuple[type, ...]] = {
        FieldType.TIME: (int,),
        FieldType.NUMBER: (int, float),
        FieldType.STRING: (str,),
        FieldType.BOOLEAN: (bool,),
    }
    allowed = wanted.get(field.type)
    if allowed is None:
        return
    values = field.values.tolist() if hasattr(field.values, "tolist") else field.values
    for value in values:
        is_right = value is None or isinstance(value, allowed)
        is_right = is_right and (field.type is FieldType.BOOLEAN or not isinstance(value, bool))
        assert is_right, f"{value!r} in {field.name}, a {field.type.value} field"


def _outcome(datasource: Datasource, query: DataQuery, context: DatasourceContext) -> object:
    """Return the frames, or the PluginError; anything else fails the test."""
    try:
        frames = datasource.query(query, context)
    except PluginError as error:
        assert error.message, "an error says something"  # noqa: PT017 - a failure is one right answer
        return error
    for frame in frames:
        assert_frame(frame)
    return frames


def _plain(frames: object) -> object:
    """Return frames as values that compare: arrays as lists, NaN as text."""
    if not isinstance(frames, (list, tuple)):
        return frames
    return [
        (
            frame.name,
            frame.notices,
            frame.executed_query,
            [(each.name, dict(each.labels), _comparable(each.values)) for each in frame.fields],
        )
        for frame in frames
    ]


def _comparable(values: Sequence[JsonValue]) -> list[JsonValue]:
    plain = values.tolist() if hasattr(values, "tolist") else values
    return ["NaN" if isinstance(value, float) and math.isnan(value) else value for value in plain]
