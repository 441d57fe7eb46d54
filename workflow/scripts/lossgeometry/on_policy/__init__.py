"""Training on samples of the policy that is being trained."""
