"""From the name of a built-in composition, or the path of a file, to its model."""

from pathlib import Path

from detectviz.composition.checking import composition_read
from detectviz.composition.documents import Document
from detectviz.composition.model import Composition
from detectviz.composition.problems import CompositionError, CompositionProblem
from detectviz.paths import resource_folder

BUILT_IN = resource_folder("compositions")
FILE = "composition.yaml"
DEFAULT, DEFAULT_WITH_REDIS = "dev-platform", "standard"
_RESERVED = {
    "alloy-devkit": "The composition alloy-devkit is reserved and does not come with this version"
}


def composition_names() -> tuple[str, ...]:
    """Return the built-in compositions."""
    return tuple(sorted(path.parent.name for path in BUILT_IN.glob(f"*/{FILE}")))


def composition_path(reference: str) -> Path:
    """Return the file of a built-in name or a path; raise CompositionError for neither."""
    if reference in composition_names():
        return BUILT_IN / reference / FILE
    path = Path(reference)
    if path.is_dir():
        path /= FILE
    if path.is_file():
        return path
    known = ", ".join(composition_names())
    told = _RESERVED.get(reference, f"There is no composition {reference}")
    message = f"{told}; name a file, or one of {known}."
    problem = CompositionProblem(path=reference, line=1, pointer="", message=message)
    raise CompositionError([problem])


def composition_load(reference: str) -> tuple[Composition, Document]:
    """Return the composition of a name or path; raise CompositionError with every problem."""
    path = composition_path(reference)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = CompositionProblem(
            path=str(path), line=1, pointer="", message=f"Cannot be read ({error}); correct that."
        )
        raise CompositionError([problem]) from error
    return composition_read(text, str(path))
