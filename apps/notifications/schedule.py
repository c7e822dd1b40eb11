"""Periodic tasks of this app."""

SCHEDULE = {
    "notifications.dispatch": {
        "task": "apps.notifications.tasks.dispatch",
        "schedule": 1.0,
        "options": {"queue": "notify", "expires": 5},
    },
    "notifications.trim": {
        "task": "apps.notifications.tasks.trim",
        "schedule": 3600.0,
        "options": {"queue": "jobs", "expires": 600},
    },
}
