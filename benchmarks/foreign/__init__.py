"""Results of other programs: read, checked, and kept as cells that stand in the same tables as our own."""
