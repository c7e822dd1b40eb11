"""Periodic tasks of this app, and the queue of the one that is not."""

SCHEDULE = {
    "notifications.dispatch": {
        "task": "apps.notifications.tasks.dispatch",
        "schedule": 1.0,
        "options": {"queue": "notify", "expires": 5},
    },
    "notifications.sweep": {
        "task": "apps.notifications.tasks.sweep",
        "schedule": 60.0,
        "options": {"queue": "jobs", "expires": 60},
    },
    "notifications.watch": {
        "task": "apps.notifications.tasks.watch",
        "schedule": 10.0,
        "options": {"queue": "jobs", "expires": 10},
    },
    "notifications.remind": {
        "task": "apps.notifications.tasks.remind",
        "schedule": 30.0,
        "options": {"queue": "notify", "expires": 30},
    },
    "notifications.trim": {
        "task": "apps.notifications.tasks.trim",
        "schedule": 3600.0,
        "options": {"queue": "jobs", "expires": 600},
    },
}
QUEUES = {"apps.notifications.tasks.deliver_together": "notify"}
