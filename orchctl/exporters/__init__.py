"""Prometheus metrics, OpenTelemetry spans, hooks."""
