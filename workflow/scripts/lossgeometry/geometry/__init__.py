"""Pairwise geometry of weight updates: exact, factored, and calibrated against chance. Nothing here imports torch."""
