"""Base models: fetched, linked, or the tiny one that is pre-trained here."""
