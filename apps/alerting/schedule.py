"""When rule groups are looked at and their history is tidied up."""

SCHEDULE = {
    "alerting.tick": {
        "task": "apps.alerting.tasks.tick",
        "schedule": 1.0,
        "options": {"queue": "evaluate", "expires": 1},
    },
    "alerting.prune": {
        "task": "apps.alerting.tasks.prune",
        "schedule": 3600.0,
        "options": {"queue": "jobs", "expires": 3600},
    },
}
