"""What can go wrong with a datasource."""

from detectviz.resources.errors import ConflictError


class ReadOnlyError(ConflictError):
    """The datasource is provisioned: its file is the place to change it."""

    code = "read-only"

    def __init__(self, name: str, source: str) -> None:
        place = f"the file {source}" if source else "the file it was provisioned from"
        super().__init__(f"Datasource {name!r} is read-only: change it in {place}.")
