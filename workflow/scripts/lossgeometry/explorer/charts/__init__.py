"""Chart definitions: each function returns one Altair chart over the data set `rows`, for the page and for the figures alike.

The page replaces `rows` and the parameters (`layer`, `focus`, `dark`, ...) as its reader turns the controls; a figure fixes them.
"""
