"""Problems: made here, read from data sets, and split into prompts."""
