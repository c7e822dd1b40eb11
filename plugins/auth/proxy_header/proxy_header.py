"""Who a reverse proxy says its user is, as oauth2-proxy, Authelia and others pass it on."""

from detectviz.contracts.auth import AuthContext, Credentials, Identity, OrgRole, ProxyHeaders

MAX_TEXT = 254


class ProxyHeaderAuthenticator:
    """Believes headers; the host hands over only those that a trusted proxy sent."""

    def authenticate(self, credentials: Credentials, context: AuthContext) -> Identity | None:
        """Return whom the headers name; None for other credentials and an empty header."""
        if not isinstance(credentials, ProxyHeaders):
            return None
        found = {
            name: credentials.headers.get(str(context.config[name]).lower(), "").strip()
            for name in ("user_header", "email_header", "name_header", "roles_header")
        }
        username = found["user_header"]
        # Two headers of one name arrive joined by a comma: one of them may be the client's own.
        if not username or "," in username or len(username) > MAX_TEXT:
            return None
        groups = {group.strip() for group in found["roles_header"].split(",")}
        rows = context.config["roles"]
        roles = [
            OrgRole(org=str(row["org"]), role=str(row["role"]))
            for row in (rows if isinstance(rows, (list, tuple)) else ())
            if isinstance(row, dict) and row["value"] in groups
        ]
        return Identity(
            username=username,
            email=found["email_header"][:MAX_TEXT],
            full_name=found["name_header"][:MAX_TEXT],
            roles=tuple(roles),
        )
