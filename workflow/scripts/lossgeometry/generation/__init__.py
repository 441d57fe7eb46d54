"""Text from models: requests, templates, tokens, and the engines that answer."""
