"""Reports: tables of what a folder's searches found. `rendering` is the whole; docs/reports.md explains it."""
