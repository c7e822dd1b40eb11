"""Doors of their own: feeds, links of notifications, and buttons of chats."""

from django.urls import path

from apps.oncall.api.doors.views import act, callback
from apps.oncall.api.views import calendar

app_name = "oncall-api"
urlpatterns = [
    path("calendar/<str:token>.ics", calendar, name="calendar"),
    path("act/<str:token>", act, name="act"),
    path("callbacks/<str:uid>", callback, name="callback"),
]
