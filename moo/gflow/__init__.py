"""What the GFlowNet methods share."""
