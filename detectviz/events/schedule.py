"""Periodic tasks of the events."""

SCHEDULE = {
    "events.trim": {
        "task": "detectviz.events.tasks.trim",
        "schedule": 3600.0,
        "options": {"queue": "jobs", "expires": 600},
    },
}
