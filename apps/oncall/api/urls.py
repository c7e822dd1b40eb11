"""Doors of their own: the feed of a schedule, whose address is its secret."""

from django.urls import path

from apps.oncall.api.views import calendar

app_name = "oncall-api"
urlpatterns = [path("calendar/<str:token>.ics", calendar, name="calendar")]
