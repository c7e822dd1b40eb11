"""Which of pytest-xdist's workers runs which file of tests.

A file is run whole by one worker, so that what its tests share (a product, a server, a browser)
starts once and not once in each worker. (Marks of groups would do that too, but with pytest 9.2
pytest-xdist 3.8 sees none: https://github.com/pytest-dev/pytest-xdist/issues/1386.) Files that
start whole products are run one after another by the first worker, who mostly waits for them;
the others meanwhile take the rest, and whoever has nothing of its own left takes over from its
neighbour. Long files go first, then those of many tests, so that all end at about the same time.
"""

from collections.abc import Iterable
from typing import Any

from xdist.scheduler import LoadFileScheduling

PRODUCTS = ("tests/faults/", "tests/e2e/", "tests/architecture/test_wheel.py")
LONG = (  # over half a minute by few tests
    "tests/e2e/test_story_plugin_tutorial.py",
    "tests/faults/test_delivery_oracle.py",
    "tests/faults/test_distributed.py",
    "tests/faults/test_embedded_kills.py",
    "tests/faults/test_standard_kills.py",
    "tests/conformance/alertmanager/",
    "tests/detectviz/test_migrating.py",
    "tests/detectviz/tsdb/test_integrity.py",
    "tests/plugins/eventbus/kafka/",
)


class ProductsFirst(LoadFileScheduling):  # type: ignore[misc]  # xdist carries no types
    """Files as units of work; the first worker begins with products, all others with the rest."""

    def _assign_work_unit(self, node: Any) -> None:
        chosen = unit_next(self.workqueue, is_first=node is self.nodes[0])
        self.workqueue.move_to_end(chosen, last=False)  # where it is taken from
        super()._assign_work_unit(node)


def unit_next(waiting: Iterable[str], *, is_first: bool) -> str:
    """Return the file to run next of those ``waiting``, which are sorted by number of tests."""
    files = list(waiting)
    own = [file for file in files if file.startswith(PRODUCTS) == is_first]
    return min(own or files, key=lambda file: not file.startswith(LONG))
