"""What training on the rollouts costs in a skill that they are not about, and what of an update predicts it."""
