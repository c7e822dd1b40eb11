"""What every series store must do, whatever lies below it.

A test module subclasses ``SeriesStoreConformance`` and gives it a ``store`` fixture. Tenants and
times are fresh for every test, so stores may be shared between tests.
"""

import time
import uuid
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from detectviz.tsdb.histograms import CUSTOM_BUCKETS_SCHEMA, CounterReset, Histogram
from detectviz.tsdb.interface import (
    STALE_NAN,
    STALE_NAN_BITS,
    Matcher,
    MatchOp,
    Sample,
    SampleColumns,
    SelectHints,
    SeriesSet,
    SeriesStore,
    StoreError,
)

STEP_MS = 15_000
BEFORE_MS = 3_600_000
EXPONENTIAL = Histogram(
    count=21.0,
    sum=18.4,
    schema=1,
    zero_threshold=0.001,
    zero_count=2.0,
    positive_spans=((0, 2), (1, 2)),
    positive=(1.0, 2.0, 7.0, 1.0),
    negative_spans=((-3, 1),),
    negative=(8.0,),
    counter_reset=CounterReset.NO,
)
CUSTOM = Histogram(
    count=6.0,
    sum=1.25,
    schema=CUSTOM_BUCKETS_SCHEMA,
    positive_spans=((0, 1), (1, 1)),
    positive=(5.0, 1.0),
    custom_values=(0.1, 1 / 3),
    counter_reset=CounterReset.GAUGE,
)


def bits(values: Sequence[float]) -> list[int]:
    """Return doubles as the integers they are stored as, to compare NaNs too."""
    return [int(item) for item in np.array(values, np.float64).view(np.uint64)]


def equal(name: str, value: str) -> Matcher:
    """Shorten the most common matcher."""
    return Matcher(name, MatchOp.EQUAL, value)


def _metric_of(token: Hashable) -> Mapping[str, str]:
    if " " in str(token):
        raise ValueError("bad token")
    return {"__name__": str(token), "job": "x"}


class _Suite:
    """What all tests here share."""

    rejects_conflicts: ClassVar[bool] = True
    keeps_plain_nan: ClassVar[bool] = True
    keeps_every_bit: ClassVar[bool] = True
    keeps_histograms: ClassVar[bool] = True
    keeps_start_times: ClassVar[bool] = True
    deletes_ranges: ClassVar[bool] = True
    counts_bytes: ClassVar[bool] = True

    @pytest.fixture
    def store(self) -> SeriesStore:
        """Return the store under test."""
        raise NotImplementedError

    @pytest.fixture
    def tenant(self) -> str:
        """Return a tenant nobody has used."""
        return f"org-{uuid.uuid4()}"

    @pytest.fixture
    def start_ms(self) -> int:
        """Return a time about an hour ago, on the grid."""
        return (int(time.time() * 1000) - BEFORE_MS) // STEP_MS * STEP_MS

    def settle(self) -> None:
        """Make everything appended visible, for backends that take their time."""

    def put(
        self,
        store: SeriesStore,
        tenant: str,
        labels: Mapping[str, str],
        start_ms: int,
        values: Sequence[float],
    ) -> None:
        """Append one value per step and insist that all are stored."""
        samples = [
            Sample(labels, start_ms + place * STEP_MS, value) for place, value in enumerate(values)
        ]
        report = store.append(tenant, samples)
        assert report.stored == len(samples)
        assert report.rejected == ()
        self.settle()

    def read(self, store: SeriesStore, tenant: str, *matchers: Matcher) -> SeriesSet:
        """Select over all of the last two hours."""
        now_ms = int(time.time() * 1000)
        return store.select(tenant, matchers, now_ms - 2 * BEFORE_MS, now_ms)


class _Columns(_Suite):
    """Columns, native histograms and start times."""

    def test_columns_are_stored_and_reasons_given_by_place(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        report = store.append_columns(
            tenant,
            SampleColumns(
                series=["b", "no such labels", "", "a"],
                labels_of=_metric_of,
                owners=np.array([0, 3, 1, 0, 2, 3]),
                timestamps_ms=start_ms + np.array([0, 0, 0, STEP_MS, 0, 1 << 60]),
                values=np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
            ),
        )
        self.settle()
        assert (report.stored, dict(report.limited)) == (3, {})
        assert dict(report.refused) == {
            2: "bad token",
            4: "metric name is missing",
            5: "out of bounds",
        }
        found = self.read(store, tenant, equal("job", "x"))
        assert [labels["__name__"] for labels in found.labels] == ["a", "b"]
        assert found.values.tolist() == [2, 1, 4]

    def test_columns_sent_again_and_after_new_series_go_to_the_same_series(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        for round_ in range(3):
            names = [f"m{number}" for number in range(round_ + 1)]
            report = store.append_columns(
                tenant,
                SampleColumns(
                    series=names,
                    labels_of=_metric_of,
                    owners=np.arange(len(names)),
                    timestamps_ms=np.full(len(names), start_ms + round_ * STEP_MS),
                    values=np.full(len(names), float(round_)),
                ),
            )
            self.settle()
            assert report.stored == len(names)
        found = self.read(store, tenant, equal("job", "x"))
        assert np.diff(found.offsets).tolist() == [3, 2, 1]
        assert found.values.tolist() == [0, 1, 2, 1, 2, 2]

    def test_native_histograms_come_back_or_are_refused_with_a_reason(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        name = {"__name__": "h"}
        samples = [
            Sample(name, start_ms, histogram=EXPONENTIAL),
            Sample(name, start_ms + STEP_MS, 7.5),
            Sample(name, start_ms + 2 * STEP_MS, histogram=CUSTOM),
        ]
        report = store.append(tenant, samples)
        self.settle()
        found = self.read(store, tenant, equal("__name__", "h"))
        if not self.keeps_histograms:
            assert report.stored == 1
            assert all("native histograms" in item.reason for item in report.rejected)
            assert found.values.tolist() == [7.5]
            return
        assert report.stored == len(samples)
        assert found.histograms is not None
        assert found.histograms.tolist() == [EXPONENTIAL, None, CUSTOM]
        assert bits(found.values.tolist()) == bits([float("nan"), 7.5, float("nan")])

    def test_histograms_conflict_with_other_histograms_and_with_floats(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        if not (self.keeps_histograms and self.rejects_conflicts):
            return
        name = {"__name__": "h"}
        times = [start_ms, start_ms + STEP_MS]
        store.append(tenant, [Sample(name, at, histogram=EXPONENTIAL) for at in times])
        self.settle()
        unhinted = replace(EXPONENTIAL, counter_reset=CounterReset.YES)
        other = replace(EXPONENTIAL, sum=19.0)
        for histogram, stored in ((EXPONENTIAL, 2), (unhinted, 2), (other, 0), (None, 0)):
            again = [Sample(name, at, 1.0, histogram=histogram) for at in times]
            report = store.append(tenant, again)
            self.settle()
            assert report.stored == stored
            assert {item.reason for item in report.rejected} <= {"duplicate sample for timestamp"}
        found = self.read(store, tenant, equal("__name__", "h"))
        assert found.histograms is not None
        assert found.histograms.tolist() == [EXPONENTIAL, EXPONENTIAL]

    def test_an_impossible_histogram_is_refused(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        torn = replace(EXPONENTIAL, positive=(1.0,))
        report = store.append(tenant, [Sample({"__name__": "h"}, start_ms, histogram=torn)])
        assert report.stored == 0
        assert report.rejected[0].reason

    def test_start_times_come_back_or_are_left_out(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        samples = [
            Sample({"__name__": "c"}, start_ms, 1.0, start_ms=start_ms - 500),
            Sample({"__name__": "c"}, start_ms + STEP_MS, 2.0),
        ]
        assert store.append(tenant, samples).stored == len(samples)
        self.settle()
        found = self.read(store, tenant, equal("__name__", "c"))
        assert found.values.tolist() == [1, 2]
        if self.keeps_start_times:
            assert found.start_times_ms is not None
            assert found.start_times_ms.tolist() == [start_ms - 500, 0]


class _Care(_Columns):
    """Deleting, counting, hints and health."""

    def test_deleted_series_are_gone_for_everybody_and_may_come_again(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        other = f"{tenant}-other"
        self.put(store, tenant, {"__name__": "m", "n": "a"}, start_ms, [1, 2])
        self.put(store, tenant, {"__name__": "m", "n": "b"}, start_ms, [3])
        self.put(store, other, {"__name__": "m", "n": "a"}, start_ms, [4])
        chosen = [equal("n", "a")]
        assert store.delete(tenant, chosen, -(2**63), 2**63 - 1) == 1
        assert store.delete(tenant, chosen, -(2**63), 2**63 - 1) == 0
        assert self.read(store, tenant).labels == ({"__name__": "m", "n": "b"},)
        assert store.series(tenant, chosen, start_ms, start_ms + STEP_MS) == ()
        assert self.read(store, other).values.tolist() == [4]
        self.put(store, tenant, {"__name__": "m", "n": "a"}, start_ms, [5])
        assert self.read(store, tenant, *chosen).values.tolist() == [5]

    def test_a_deletion_is_exact_to_the_millisecond_or_refused(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        self.put(store, tenant, {"__name__": "m"}, start_ms, [1, 2, 3, 4])
        within = (start_ms + STEP_MS, start_ms + 3 * STEP_MS - 1)
        if self.deletes_ranges:
            assert store.delete(tenant, [equal("__name__", "m")], *within) == 1
            assert self.read(store, tenant).values.tolist() == [1, 4]
        else:
            with pytest.raises(StoreError, match="whole series only"):
                store.delete(tenant, [equal("__name__", "m")], *within)
            assert self.read(store, tenant).values.tolist() == [1, 2, 3, 4]

    def test_hints_may_be_given(self, store: SeriesStore, tenant: str, start_ms: int) -> None:
        self.put(store, tenant, {"__name__": "m"}, start_ms, [1, 2])
        hints = SelectHints(step_ms=STEP_MS, window_ms=STEP_MS, function="rate")
        found = store.select(tenant, [], start_ms, start_ms + STEP_MS, hints=hints)
        assert found.values.tolist() == [1, 2]
        assert found.resolution_ms == 0

    def test_cardinality_counts_series_names_values_and_pairs(
        self, store: SeriesStore, tenant: str
    ) -> None:
        now_ms = int(time.time() * 1000)
        for zone in ("x", "y"):
            for name in ("m", "mm"):
                self.put(store, tenant, {"__name__": name, "zone": zone}, now_ms, [1])
        self.put(store, tenant, {"__name__": "m", "job": "a"}, now_ms, [1])
        self.put(store, f"{tenant}-other", {"__name__": "m", "other": "a"}, now_ms, [1])
        found = store.cardinality(tenant, 2)
        assert found.series == 5
        assert found.label_pairs == 5
        assert found.series_by_metric == (("m", 3), ("mm", 2))
        assert found.values_by_label == (("__name__", 2), ("zone", 2))
        assert found.series_by_pair == (("__name__=m", 3), ("__name__=mm", 2))
        if self.counts_bytes:
            assert found.bytes_by_label == (("__name__", 7), ("zone", 4))
            assert (found.oldest_ms, found.newest_ms) == (now_ms, now_ms)
        assert store.cardinality(f"{tenant}-nobody", 2).series == 0

    def test_a_healthy_store_says_so(self, store: SeriesStore) -> None:
        store.check()
        store.maintain(int(time.time() * 1000))


class SeriesStoreConformance(_Care):
    """Subclass it, override ``store`` and say what the backend cannot do."""

    def test_what_is_appended_is_read_back(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        self.put(store, tenant, {"__name__": "up", "job": "a"}, start_ms, [1, 0, 1])
        found = self.read(store, tenant, equal("__name__", "up"))
        assert found.labels == ({"__name__": "up", "job": "a"},)
        assert found.offsets.tolist() == [0, 3]
        assert found.timestamps_ms.tolist() == [start_ms + n * STEP_MS for n in range(3)]
        assert found.values.tolist() == [1, 0, 1]

    def test_the_range_is_inclusive_at_both_ends(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        self.put(store, tenant, {"__name__": "m"}, start_ms, [1, 2, 3, 4])
        inner = [start_ms + STEP_MS, start_ms + 2 * STEP_MS]
        found = store.select(tenant, [equal("__name__", "m")], *inner)
        assert found.timestamps_ms.tolist() == inner

    def test_any_range_may_be_asked_for(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        self.put(store, tenant, {"__name__": "m"}, start_ms, [1])
        matchers = [equal("__name__", "m")]
        assert len(store.select(tenant, matchers, -(2**63), 2**63 - 1)) == 1
        assert len(store.select(tenant, matchers, -(2**63), -1)) == 0
        assert len(store.select(tenant, matchers, start_ms + 1, start_ms - 1)) == 0

    def test_tenants_never_see_each_other(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        other = f"{tenant}-other"
        self.put(store, tenant, {"__name__": "m", "who": "me"}, start_ms, [1])
        self.put(store, other, {"__name__": "m", "who": "them"}, start_ms, [2])
        matchers = [equal("__name__", "m")]
        everything = (start_ms, start_ms + STEP_MS)
        assert self.read(store, tenant, *matchers).labels == ({"__name__": "m", "who": "me"},)
        assert store.label_values(other, "who", [], *everything) == ("them",)
        assert store.series(f"{tenant}-nobody", matchers, *everything) == ()

    def test_a_tenant_cannot_be_forged_by_a_label(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        forged = {"__name__": "m", "detectviz_tenant": f"{tenant}-victim"}
        report = store.append(tenant, [Sample(forged, start_ms, 1)])
        assert report.stored == 0
        assert "reserved" in report.rejected[0].reason

    @pytest.mark.parametrize(
        ("matcher", "expected"),
        [
            (Matcher("path", MatchOp.EQUAL, "a"), ["a"]),
            (Matcher("path", MatchOp.EQUAL, ""), [""]),
            (Matcher("path", MatchOp.NOT_EQUAL, "a"), ["", "ab", "b.c"]),
            (Matcher("path", MatchOp.NOT_EQUAL, ""), ["a", "ab", "b.c"]),
            (Matcher("path", MatchOp.REGEX, "a|b.c"), ["a", "b.c"]),
            (Matcher("path", MatchOp.REGEX, "a.*"), ["a", "ab"]),
            (Matcher("path", MatchOp.REGEX, "a.+"), ["ab"]),
            (Matcher("path", MatchOp.REGEX, ".*"), ["", "a", "ab", "b.c"]),
            (Matcher("path", MatchOp.REGEX, ".+"), ["a", "ab", "b.c"]),
            (Matcher("path", MatchOp.REGEX, ""), [""]),
            (Matcher("path", MatchOp.REGEX, "[ab]"), ["a"]),
            (Matcher("path", MatchOp.REGEX, "(?i)AB?"), ["a", "ab"]),
            (Matcher("path", MatchOp.NOT_REGEX, "a.*"), ["", "b.c"]),
            (Matcher("path", MatchOp.NOT_REGEX, ".+"), [""]),
        ],
    )
    def test_matchers_are_anchored_and_a_missing_label_is_empty(
        self,
        store: SeriesStore,
        tenant: str,
        start_ms: int,
        matcher: Matcher,
        expected: list[str],
    ) -> None:
        for path in ("a", "ab", "b.c", ""):
            labels = {"__name__": "m", "path": path} if path else {"__name__": "m"}
            self.put(store, tenant, labels, start_ms, [1])
        found = self.read(store, tenant, equal("__name__", "m"), matcher)
        assert [labels.get("path", "") for labels in found.labels] == expected

    def test_series_are_ordered_by_labels(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        for job in ("b", "a", "c"):
            self.put(store, tenant, {"__name__": "m", "job": job}, start_ms, [1])
        found = self.read(store, tenant, equal("__name__", "m"))
        assert [labels["job"] for labels in found.labels] == ["a", "b", "c"]

    def test_names_values_and_series_are_listed(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        self.put(store, tenant, {"__name__": "m", "job": "a", "zone": "x"}, start_ms, [1])
        self.put(store, tenant, {"__name__": "n", "job": "b"}, start_ms, [1])
        within = (start_ms - STEP_MS, start_ms + STEP_MS)
        assert store.label_names(tenant, [], *within) == ("__name__", "job", "zone")
        assert store.label_names(tenant, [equal("__name__", "n")], *within) == ("__name__", "job")
        assert store.label_values(tenant, "job", [], *within) == ("a", "b")
        assert store.label_values(tenant, "job", [equal("zone", "x")], *within) == ("a",)
        assert store.label_values(tenant, "__name__", [], *within) == ("m", "n")
        assert store.series(tenant, [equal("job", "b")], *within) == (
            {"__name__": "n", "job": "b"},
        )

    def test_infinities_and_stale_markers_come_back(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        values = [1.5, float("inf"), float("-inf"), STALE_NAN, 2.5]
        self.put(store, tenant, {"__name__": "m"}, start_ms, values)
        found = self.read(store, tenant, equal("__name__", "m"))
        assert bits(found.values.tolist()) == bits(values)
        assert bits(found.values.tolist())[3] == STALE_NAN_BITS

    def test_an_ordinary_nan_is_kept_or_left_out_but_never_a_stale_marker(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        self.put(store, tenant, {"__name__": "m"}, start_ms, [1, float("nan"), 2])
        found = self.read(store, tenant, equal("__name__", "m")).values.tolist()
        assert bits(found) == bits([1, float("nan"), 2] if self.keeps_plain_nan else [1, 2])

    def test_doubles_come_back(self, store: SeriesStore, tenant: str, start_ms: int) -> None:
        values = [0.1, 1 / 3, 1e-300, 1e300, -123456789.123456, 0.0, 2.0**53]
        for place, value in enumerate(values):
            self.put(store, tenant, {"__name__": "m", "n": str(place)}, start_ms, [value])
        found = self.read(store, tenant, equal("__name__", "m")).values.tolist()
        if self.keeps_every_bit:
            assert bits(found) == bits(values)
        else:
            assert found == pytest.approx(values, rel=1e-12)

    def test_unusual_label_values_come_back(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        labels = {"__name__": "m", "text": 'a "quoted" \\ back\nline, 日本語 ☃'}
        self.put(store, tenant, labels, start_ms, [1])
        assert self.read(store, tenant, equal("text", labels["text"])).labels == (labels,)

    def test_a_sample_sent_again_is_fine(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        self.put(store, tenant, {"__name__": "m"}, start_ms, [1, 2, 3])
        self.put(store, tenant, {"__name__": "m"}, start_ms, [1, 2, 3])
        assert self.read(store, tenant, equal("__name__", "m")).values.tolist() == [1, 2, 3]

    def test_another_value_for_a_stored_time_is_rejected_or_at_least_never_doubles_it(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        self.put(store, tenant, {"__name__": "m"}, start_ms, [1, 2, 3])
        conflicting = [
            Sample({"__name__": "m"}, start_ms + place * STEP_MS, 9.0) for place in range(3)
        ]
        report = store.append(tenant, conflicting)
        self.settle()
        found = self.read(store, tenant, equal("__name__", "m"))
        assert found.timestamps_ms.tolist() == [start_ms + n * STEP_MS for n in range(3)]
        if self.rejects_conflicts:
            assert report.stored == 0
            assert {item.reason for item in report.rejected} == {"duplicate sample for timestamp"}
            assert found.values.tolist() == [1, 2, 3]
        else:
            assert report.stored == len(conflicting)
            assert set(found.values.tolist()) <= {1, 2, 3, 9}

    def test_late_samples_find_their_place(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        self.put(store, tenant, {"__name__": "m"}, start_ms + 2 * STEP_MS, [3, 4])
        self.put(store, tenant, {"__name__": "m"}, start_ms, [1, 2])
        assert self.read(store, tenant, equal("__name__", "m")).values.tolist() == [1, 2, 3, 4]

    @pytest.mark.parametrize(
        ("labels", "reason"),
        [
            ({"job": "a"}, "metric name is missing"),
            ({"__name__": ""}, "metric name is missing"),
            ({"__name__": "m", "": "x"}, "label name is empty"),
            ({"__name__": "m", "bad": "\ud800"}, "not valid UTF-8"),
            ({"__name__": "m", "n" * 129: "x"}, "longer than 128 bytes"),
            ({"__name__": "m", "big": "x" * 2049}, "longer than 2048 bytes"),
            ({"__name__": "m"} | {f"l{n}": "x" for n in range(64)}, "exceeds the limit of 64"),
            ({"__name__": "m"} | {f"l{n}": "x" * 2048 for n in range(16)}, "more than 32768"),
        ],
    )
    def test_bad_labels_are_rejected_and_the_rest_is_stored(
        self,
        store: SeriesStore,
        tenant: str,
        start_ms: int,
        labels: Mapping[str, str],
        reason: str,
    ) -> None:
        good = Sample({"__name__": "m", "ok": "yes"}, start_ms, 1)
        report = store.append(tenant, [Sample(labels, start_ms, 1), good])
        self.settle()
        assert report.stored == 1
        assert reason in report.rejected[0].reason
        assert report.rejected[0].sample.labels == labels
        assert len(self.read(store, tenant, equal("__name__", "m"))) == 1

    def test_the_largest_allowed_labels_are_stored(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        labels = (
            {"__name__": "m"} | {f"l{n}": "v" * 500 for n in range(62)} | {"n" * 128: "v" * 1024}
        )
        self.put(store, tenant, labels, start_ms, [1])
        assert self.read(store, tenant, equal("__name__", "m")).labels == (labels,)

    def test_an_empty_label_value_is_no_label(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        self.put(store, tenant, {"__name__": "m", "job": ""}, start_ms, [1])
        assert self.read(store, tenant, equal("job", "")).labels == ({"__name__": "m"},)

    def test_an_empty_append_and_an_empty_answer_are_no_errors(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        assert store.append(tenant, []).stored == 0
        found = self.read(store, tenant, equal("__name__", "nothing"))
        assert len(found) == 0
        assert found.offsets.tolist() == [0]
        assert store.label_names(tenant, [], start_ms, start_ms) == ()
