"""Forms of the pages of people and permissions."""

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib.auth import password_validation
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm

from apps.accounts.models import User
from apps.accounts.services.passwords import password_set
from apps.accounts.services.signin import login_username
from detectviz.permissions.table import RESOURCES
from detectviz.resources.models import name_validator

NAME_HELP = "Lowercase letters, digits and dashes."


class SignInForm(AuthenticationForm):
    """Username or e-mail address, and password."""

    def clean_username(self) -> str:
        """Accept the e-mail address too."""
        return login_username(self.cleaned_data["username"])


class ChangePasswordForm(PasswordChangeForm):
    """The old password and the new one twice."""

    def save(self, commit: bool = True) -> User:  # noqa: FBT001, FBT002 - Django's signature
        """Set the password through the service, which audits it."""
        user: User = self.user
        password_set(user=user, password=self.cleaned_data["new_password1"], actor=user)
        return user


class OrgForm(forms.Form):
    """What an org is called, and where it tells times."""

    title = forms.CharField(max_length=200, required=False)
    time_zone = forms.ChoiceField(
        help_text="Of times in notifications and of nights in rule quality; the forms of windows, "
        "schedules and silences begin with it."
    )

    def __init__(self, data: Any = None, *, zone: str = "UTC", **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        names = {name for name in available_timezones() if "/" in name} | {"UTC", zone}
        field = self.fields["time_zone"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(name, name) for name in sorted(names)]


class AcceptForm(forms.Form):
    """What somebody without an account says when accepting an invitation."""

    username = forms.CharField(max_length=150, help_text="Letters, digits and @ . + - _")
    full_name = forms.CharField(max_length=200, required=False)
    password = forms.CharField(
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        strip=False,
        help_text=" ".join(password_validation.password_validators_help_texts()),
    )


class NamedForm(forms.Form):
    """A new resource needs a name; an existing one keeps it."""

    name = forms.CharField(max_length=63, validators=[name_validator], help_text=NAME_HELP)
    title = forms.CharField(max_length=200, required=False)

    def __init__(self, *args: Any, has_name: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not has_name:
            del self.fields["name"]


class InvitationForm(forms.Form):
    """Whom to invite as what."""

    email = forms.EmailField(label="E-mail address")
    role = forms.ChoiceField()

    def __init__(self, *args: Any, roles: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"] = forms.ChoiceField(choices=roles)


class TeamForm(NamedForm):
    """A team."""

    members = forms.MultipleChoiceField(
        required=False, widget=forms.CheckboxSelectMultiple, choices=()
    )

    def __init__(self, *args: Any, people: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = forms.MultipleChoiceField(
            required=False, widget=forms.CheckboxSelectMultiple, choices=people
        )
        self.fields["members"] = field


class RoleForm(NamedForm):
    """A role; one pattern a line."""

    description = forms.CharField(max_length=500, required=False)
    permissions = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 8, "class": "mono", "spellcheck": "false"}),
        help_text="One a line, such as monitors:read, monitors:* or *:read. Resources: "
        + ", ".join(sorted(RESOURCES)),
    )

    def clean_permissions(self) -> list[str]:
        """Split the lines."""
        permissions: str = self.cleaned_data["permissions"]
        return permissions.split()


class ServiceAccountForm(NamedForm):
    """A service account."""

    description = forms.CharField(max_length=500, required=False)


class BindingForm(forms.Form):
    """Who gets which role where."""

    name = forms.CharField(max_length=63, validators=[name_validator], help_text=NAME_HELP)
    role = forms.ChoiceField()
    subject = forms.ChoiceField(label="Who")
    scope = forms.ChoiceField(label="Where")

    def __init__(
        self, *args: Any, choices: Mapping[str, Sequence[tuple[str, str]]], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        for name, offered in choices.items():
            self.fields[name] = forms.ChoiceField(choices=offered, label=self.fields[name].label)


class ApiKeyForm(NamedForm):
    """An API key."""

    owner = forms.ChoiceField(label="Acts as")
    scopes = forms.CharField(
        initial="*:*",
        widget=forms.Textarea(attrs={"rows": 3, "class": "mono", "spellcheck": "false"}),
        help_text="At most this, and never more than its owner may. One pattern a line.",
    )
    expires_at = forms.DateTimeField(
        required=False,
        label="Expires (UTC)",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        help_text="Empty: valid until it is revoked.",
    )

    def __init__(self, *args: Any, owners: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"] = forms.ChoiceField(choices=owners, label="Acts as")

    def clean_scopes(self) -> list[str]:
        """Split the lines."""
        scopes: str = self.cleaned_data["scopes"]
        return scopes.split()
