"""Replays of the routing: what another configuration would have told."""
