"""Typed events between apps, and the outbox that makes side effects durable."""
