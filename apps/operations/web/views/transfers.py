"""The page Import and export: configuration of an org as files."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from apps.operations.services.transfers import (
    MANIFESTS_TITLE,
    Import,
    configuration_export,
    formats_offered,
    submitted_text,
    text_import,
)
from detectviz.resources.errors import (
    DomainError,
    ForbiddenError,
    InvalidFieldsError,
    NotFoundError,
)
from detectviz.resources.formats import MANIFESTS, format_list
from detectviz.resources.yaml import MAX_BYTES
from detectviz.web.pages import PageRequest, render_page, toast
from detectviz.web.scope import OrgScope, org_page

_PAGE = "operations/transfer.html"
_RESULT = "operations/partials/_import_result.html"


@dataclass(frozen=True, kw_only=True)
class TransferPage:
    """The form, and the answer to what was submitted; the text itself is never shown back."""

    scope: OrgScope
    found: Import | None = None
    problems: Sequence[tuple[str, str]] = ()

    @property
    def known(self) -> list[str]:
        """The titles of what can be imported."""
        return [MANIFESTS_TITLE, *(one.title for one in format_list())]

    @property
    def offered(self) -> list[tuple[str, str]]:
        """What can be exported: names of formats, and their titles."""
        others = [(one.name, one.title) for one in formats_offered(self.scope.access)]
        return [(MANIFESTS, MANIFESTS_TITLE), *others]

    @property
    def most_mib(self) -> int:
        """How large a file may be."""
        return MAX_BYTES // 1024**2


@org_page()
def transfer(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the form, what an import would do, or what it did."""
    page = TransferPage(scope=scope)
    if request.method != "POST":
        return render_page(request, _PAGE, page)
    try:
        found = text_import(
            org=scope.org,
            actor=scope.user,
            access=scope.access,
            text=submitted_text(request.POST.get("text", ""), request.FILES.get("file")),
            seal=request.POST.get("seal", ""),
            datasources=_chosen(request),
        )
    except ForbiddenError:
        raise  # told as everywhere
    except DomainError as error:
        failed = replace(page, problems=_problems(error))
        return render_page(request, _PAGE, failed, fragment=_RESULT, status=422)
    response = render_page(request, _PAGE, replace(page, found=found), fragment=_RESULT)
    return toast(response, "Imported.") if found.is_done else response


@require_safe
@org_page()
def transfer_export(request: PageRequest, scope: OrgScope, *, file_format: str) -> HttpResponse:
    """Send the org's configuration as a file, secrets left out."""
    try:
        name, text = configuration_export(
            org=scope.org, access=scope.access, format_name=file_format
        )
    except InvalidFieldsError as error:
        raise NotFoundError(error.message) from error
    response = HttpResponse(text, content_type="application/yaml; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    return response


def _chosen(request: PageRequest) -> dict[str, str]:
    """Return what was chosen for the datasources of a file; what was left open is as it is."""
    uids, names = (request.POST.getlist(name) for name in ("source", "source_is"))
    return {uid: name for uid, name in zip(uids, names, strict=False) if name}


def _problems(error: DomainError) -> list[tuple[str, str]]:
    if not isinstance(error, InvalidFieldsError):
        return [("", error.message)]
    return [(path.replace("/", "."), " ".join(texts)) for path, texts in error.fields.items()]
