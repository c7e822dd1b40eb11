"""Addresses of the pages."""

from django.urls import path

from apps.datasources.web import views

app_name = "datasources"
_ONE = "o/<slug:org>/datasources/d/<slug:name>"
urlpatterns = [
    path("o/<slug:org>/datasources", views.datasource_list, name="datasource-list"),
    path("o/<slug:org>/datasources/new", views.datasource_types, name="datasource-types"),
    path(
        "o/<slug:org>/datasources/new/<slug:type_name>",
        views.datasource_create,
        name="datasource-create",
    ),
    path(_ONE, views.datasource_detail, name="datasource-detail"),
    path(f"{_ONE}/edit", views.datasource_edit, name="datasource-edit"),
    path(f"{_ONE}/test", views.datasource_test, name="datasource-test"),
    path(f"{_ONE}/clone", views.datasource_clone_page, name="datasource-clone"),
    path(f"{_ONE}/delete", views.datasource_delete_page, name="datasource-delete"),
]
