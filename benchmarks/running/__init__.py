"""Running the cells of a suite: what is on disk, what is to be done, doing it."""
