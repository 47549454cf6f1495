"""The explorer: an interactive page of fronts, one file that opens offline.

`gathering` makes plain data of results, `pictures` draws solutions, `writing` makes the page; the page's own code and
looks lie in `page/`, one concern a file.
"""
