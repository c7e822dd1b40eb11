"""`docs/events.md` lists the types as the code has them."""

import re
from pathlib import Path

from detectviz.events.integration import EVENT_TYPES

ROW = r"^\| `(detectviz\.[\w.-]+)` \| (\d+) \| `([^`]+)` \| (.+) \|$"
DOCS = Path(__file__).parents[3] / "docs" / "events.md"


def test_the_table_of_types_is_the_codes() -> None:
    rows = re.findall(ROW, DOCS.read_text(), re.MULTILINE)
    assert rows == [
        (each.name, str(each.version), f"detectviz/events/schemas/{each.schema_file}", each.title)
        for each in EVENT_TYPES
    ]
