"""When rule groups are looked at."""

SCHEDULE = {
    "alerting.tick": {
        "task": "apps.alerting.tasks.tick",
        "schedule": 1.0,
        "options": {"queue": "evaluate", "expires": 1},
    },
}
