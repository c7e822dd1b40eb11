"""When monitors are collected and their history is tidied up."""

SCHEDULE = {
    "monitors.collect": {
        "task": "apps.monitors.tasks.collect",
        "schedule": 1.0,
        "options": {"queue": "collect", "expires": 1},
    },
    "monitors.windows": {
        "task": "apps.monitors.tasks.windows",
        "schedule": 1.0,
        "options": {"queue": "jobs", "expires": 1},
    },
    "monitors.prune": {
        "task": "apps.monitors.tasks.prune",
        "schedule": 3600.0,
        "options": {"queue": "jobs", "expires": 3600},
    },
}
