"""Benchmarks: what the components cost beyond the resources in them."""
