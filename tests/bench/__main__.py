"""``make bench``: run every benchmark, or those named on the command line."""

import sys
from importlib import import_module
from pathlib import Path


def main(wanted: list[str]) -> int:
    """Run ``bench_<name>.main()`` for each benchmark; return the number that could not run."""
    names = sorted(
        path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py")
    )
    failures = 0
    for name in wanted or names:
        sys.stdout.write(f"\n== {name} ==\n")
        sys.stdout.flush()
        failures += int(import_module(f"tests.bench.bench_{name}").main() != 0)
    return failures


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
