"""Prompts, templating and generation."""
