"""Where receivers say that a watchdog's alert arrived."""

from django.urls import path

from apps.notifications.api.watchdog.views import echo

app_name = "watchdog-api"
urlpatterns = [path("<str:org>/watchdog/<str:token>", echo, name="echo")]
