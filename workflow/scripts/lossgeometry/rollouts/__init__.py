"""The one fixed data set of every offline method: sampled or imported, and rewarded."""
