"""Conformance suites and the private servers that tests run against."""
