"""Addresses below ``/apis/core/v1/`` that the registry does not make."""

from django.urls import path

from apps.accounts.api.views import OrgCollectionView, OrgItemView

app_name = "accounts-api"
urlpatterns = [
    path("orgs", OrgCollectionView.as_view(), name="org-list"),
    path("orgs/<str:name>", OrgItemView.as_view(), name="org-detail"),
]
