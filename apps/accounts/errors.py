"""What services of this app refuse."""

from detectviz.resources.errors import ConflictError, DomainError, ForbiddenError


class EscalationError(ForbiddenError):
    """Somebody tried to hand out more than they have."""

    code = "escalation"

    def __init__(self) -> None:
        super().__init__("Nobody may grant permissions they do not have themselves.")


class LastAdminError(ConflictError):
    """An org would be left without anybody who can administer it."""

    code = "last-admin"

    def __init__(self) -> None:
        super().__init__(
            "This would leave the organisation without an active administrator. "
            "Give somebody else the admin role in the whole organisation first."
        )


class BuiltinRoleError(ConflictError):
    """The built-in roles are part of the product."""

    code = "builtin"

    def __init__(self) -> None:
        super().__init__("Built-in roles can't be changed. Create a role of your own.")


class InvitationGoneError(DomainError):
    """The link is unknown, used, revoked or too old (one answer for all)."""

    status_code = 410
    code = "invitation-gone"

    def __init__(self) -> None:
        super().__init__("This invitation is no longer valid. Ask for a new one.")
