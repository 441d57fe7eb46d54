"""Files that survive: written whole or not at all, locked, resumed, and looked at before they are read."""
