"""The push door, below ``/orgs/``."""

from django.urls import path

from apps.monitors.api.views import push

app_name = "monitors_api"
urlpatterns = [
    path("<str:org>/push/<str:token>", push, name="push"),
    path("<str:org>/push/<str:token>/<str:signal>", push, name="push-signal"),
]
