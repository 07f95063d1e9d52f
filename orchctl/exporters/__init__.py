"""Exports for other tools: CSV and JSON, Prometheus metrics, OpenTelemetry spans, and hooks."""
