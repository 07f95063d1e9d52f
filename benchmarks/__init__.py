"""Benchmarks: each a ratio taken in one run, because machines are noisy and ratios are not."""
