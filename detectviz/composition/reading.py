"""What a composition says, with the values that stand elsewhere; problems are gathered."""

from dataclasses import dataclass, field

from detectviz.composition.documents import Document
from detectviz.composition.model import Composition, Driver
from detectviz.composition.problems import CompositionProblem
from detectviz.composition.references import (
    Lookup,
    MissingReferenceError,
    reference_resolve,
    references_resolved,
)
from detectviz.composition.resolving import url_complaint, url_fits
from detectviz.contracts.types import JsonObject, JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One composition being read in one environment (``look_up`` has its variables)."""

    composition: Composition
    document: Document
    look_up: Lookup
    problems: list[CompositionProblem] = field(default_factory=list)

    def variable(self, name: str) -> str:
        """Return what the environment says, empty where it is silent."""
        return self.look_up(name) or ""

    def complain(self, where: str, message: str) -> None:
        """Note a problem once."""
        problem = self.document.problem(where, message)
        if problem not in self.problems:
            self.problems.append(problem)

    def disagree(self, where: str, variable: str, cure: str = "change this") -> None:
        """Note that a variable contradicts the composition."""
        message = f"{variable} is set and says otherwise than this; unset it, or {cure}."
        self.complain(where, message)

    def address(self, driver: Driver) -> str:
        """Return the address of a driver, empty where it has none or it is wrong."""
        if driver.url is None:
            return ""
        here = f"/spec/drivers/{driver.name}/url"
        try:
            address = reference_resolve(driver.url, self.look_up)
        except MissingReferenceError as error:
            self.complain(here, str(error))
            return ""
        if not url_fits(driver.type, address):
            self.complain(here, url_complaint(driver.type))
            return ""
        return address

    def resolved(self, config: JsonObject, where: str) -> JsonObject:
        """Return a configuration with its references replaced."""
        found: dict[str, JsonValue] = {}
        for name, value in config.items():
            try:
                found[name] = references_resolved(value, self.look_up)
            except MissingReferenceError as error:
                self.complain(f"{where}/{name}", str(error))
        return found
