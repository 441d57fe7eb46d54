"""Grading, statistics, tables and claims."""
