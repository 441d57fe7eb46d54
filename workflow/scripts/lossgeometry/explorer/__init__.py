"""The explorer page and the publication figures, from the same tables and the same chart definitions."""
