"""Chart definitions, one for the page and the publication figures."""
