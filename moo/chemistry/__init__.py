"""What the problems of molecules and of strands share: building, folding, and values from worker processes."""
