"""Periodic tasks of this app, and the queue of the one that is not."""

SCHEDULE = {
    "operations.pipelines": {
        "task": "apps.operations.tasks.pipelines",
        "schedule": 5.0,
        "options": {"queue": "jobs", "expires": 10},
    },
    "operations.trim": {
        "task": "apps.operations.tasks.trim",
        "schedule": 3600.0,
        "options": {"queue": "jobs", "expires": 600},
    },
}
QUEUES = {"apps.operations.tasks.run": "jobs"}
