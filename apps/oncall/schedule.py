"""When escalations are looked at."""

SCHEDULE = {
    "oncall.escalate": {
        "task": "apps.oncall.tasks.escalate",
        "schedule": 1.0,
        "options": {"queue": "notify", "expires": 5},
    },
    "oncall.gather": {
        "task": "apps.oncall.tasks.gather",
        "schedule": 15.0,
        "options": {"queue": "jobs", "expires": 15},
    },
    "oncall.prune": {
        "task": "apps.oncall.tasks.prune",
        "schedule": 3600.0,
        "options": {"queue": "jobs", "expires": 600},
    },
}
