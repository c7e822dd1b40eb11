"""The client credentials of a configuration."""

from typing import cast

from detectviz.contracts.collector import CollectorContext
from detectviz.contracts.config import get_text, get_texts
from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.network import TlsOptions
from detectviz.contracts.oauth2 import AuthMethod, ClientCredentials


def client_credentials(context: CollectorContext) -> ClientCredentials:
    """Return who signs in; raise ConfigurationError when that is not said."""
    config = context.config
    url, client = get_text(config, "oauth2_token_url"), get_text(config, "oauth2_client_id")
    if not url or not client:
        raise ConfigurationError("Set the token URL and the client id.", field="/oauth2_token_url")
    return ClientCredentials(
        token_url=url,
        client_id=client,
        client_secret=context.secrets.get("oauth2_client_secret", ""),
        scopes=get_texts(config, "oauth2_scopes"),
        audience=get_text(config, "oauth2_audience"),
        auth_method=cast(
            "AuthMethod", get_text(config, "oauth2_auth_method", "client_secret_basic")
        ),
        tls=TlsOptions(ca_pem=get_text(config, "ca_pem")),
    )
