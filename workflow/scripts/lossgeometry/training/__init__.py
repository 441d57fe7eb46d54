"""Offline training of LoRA adapters."""
