"""Where what is no code lies: beside the packages in a checkout, inside `detectviz` in a wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_PACKED = _PACKAGE / "_resources"


def resource_folder(name: str) -> Path:
    """Return the folder ``templates``, ``static``, ``compositions`` or ``fixtures``.

    A wheel has them below ``detectviz/_resources`` (``force-include`` in pyproject.toml), because
    beside the packages, in site-packages, such names belong to nobody.
    """
    packed = _PACKED / name
    return packed if packed.is_dir() else _PACKAGE.parent / name
