"""How much one rendering may cost."""

from dataclasses import dataclass

SOURCE_BYTES = 65_536
NESTING = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Caps of one rendering; reaching one raises TemplateLimitError."""

    output_bytes: int = 65_536
    steps: int = 20_000
    depth: int = 40
    seconds: float = 1.0


DEFAULT_LIMITS = Limits()
