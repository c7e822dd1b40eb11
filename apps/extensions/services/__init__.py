"""Judging what users wrote for plugins, switching plugins, and keeping processes up to date."""

from apps.extensions.services.configuration import (
    Configuration,
    StoredConfiguration,
    configuration_check,
    manifest_require,
    secrets_masked,
)

__all__ = [
    "Configuration",
    "StoredConfiguration",
    "configuration_check",
    "manifest_require",
    "secrets_masked",
]
