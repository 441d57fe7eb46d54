"""Representations: hidden states of the base and of every adapter, and how similar they are."""
