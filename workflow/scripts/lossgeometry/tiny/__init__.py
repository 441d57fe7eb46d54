"""The tiny experiment: problems that are made here, and a model that is pre-trained here."""
