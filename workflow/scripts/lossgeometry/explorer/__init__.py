"""The explorer page: its data, and the file that holds all of it."""
