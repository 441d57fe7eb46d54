"""What was found, in sentences: each computed from the tables by a stated rule, and said everywhere in the same words."""
