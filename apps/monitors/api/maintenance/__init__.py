"""Silences, inhibition rules, time intervals, and the ledger of what was held back."""
