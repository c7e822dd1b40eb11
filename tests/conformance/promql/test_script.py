"""The grammar of the scripts, beyond what those at hand make use of."""

from pathlib import Path

from tests.conformance.promql.runner import load, problem_of
from tests.conformance.promql.script import Case, Load, read_load, read_script
from tests.conformance.promql.store import MemoryStore

STARTS = """load 1m
  hits_total{a="b c"}@st -1mx3 _ -30s-1mx1
  hits_total{a="b c"}     0+1x6
  bare_total@st _x2 -2m
  bare_total 1 2 3

eval instant at 2m start_timestamp(hits_total)
  {a="b c"} 60

eval instant at 4m start_timestamp(hits_total)
  {a="b c"} 0

eval instant at 6m start_timestamp(hits_total)
  {a="b c"} 270

eval instant start_timestamp(bare_total)
  {} 0
"""


def test_lines_of_start_times_are_offsets_from_the_samples_of_the_next_line() -> None:
    lines = ['m{a="x"}@st -1mx1 _ 30s+1mx1 _x2', 'm{a="x"} 1x6', "n 1"]
    first, second = read_load(lines)
    assert first.starts_ms == [-60_000, -60_000, None, 30_000, 90_000, None, None]
    assert (second.labels, second.starts_ms) == ({"__name__": "n"}, [])


def test_a_script_with_start_times_is_met(tmp_path: Path) -> None:
    path = tmp_path / "starts.test"
    path.write_text(STARTS)
    store = MemoryStore()
    for command in read_script(path):
        if isinstance(command, Load):
            load(store, command)
        elif isinstance(command, Case):
            assert problem_of(store, command) is None
