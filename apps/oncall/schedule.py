"""When escalations are looked at."""

SCHEDULE = {
    "oncall.escalate": {
        "task": "apps.oncall.tasks.escalate",
        "schedule": 1.0,
        "options": {"queue": "notify", "expires": 5},
    },
}
