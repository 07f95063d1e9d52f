"""Forecasts, drawings and run requests of compositions."""
