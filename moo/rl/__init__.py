"""What the policy methods share."""
