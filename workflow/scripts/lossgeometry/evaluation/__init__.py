"""Answers to benchmarks, statistics, and the paper's claims."""
