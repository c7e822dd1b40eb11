"""When series are tidied up."""

SCHEDULE = {
    "series.maintain": {
        "task": "apps.series.tasks.maintain",
        "schedule": 60.0,
        "options": {"queue": "jobs", "expires": 60},
    },
    "series.prune_refusals": {
        "task": "apps.series.tasks.prune_refusals",
        "schedule": 3600.0,
        "options": {"queue": "jobs", "expires": 3600},
    },
    "series.prune_exemplars": {
        "task": "apps.series.tasks.prune_exemplars",
        "schedule": 300.0,
        "options": {"queue": "jobs", "expires": 300},
    },
}
