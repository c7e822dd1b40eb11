"""Decisions about monitors: the state machine, the schedule, results, heartbeats."""
