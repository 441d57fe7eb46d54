"""The base with updates attached, run over teacher-forced sequences."""
