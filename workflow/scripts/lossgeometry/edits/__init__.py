"""Interventions: updates computed from others, and what each of them does."""
