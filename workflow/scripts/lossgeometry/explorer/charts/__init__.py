"""Chart definitions, for the page and for the figures alike: each function returns one chart over the data set `rows`.

The page replaces `rows` and the parameters (`layer`, `focus`, `dark`, ...) as its reader turns the controls; a figure
fixes them.
"""
