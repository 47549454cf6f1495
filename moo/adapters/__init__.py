"""Other libraries' problems made ours, and ours made theirs."""
