"""Tables and the summary that gather every stage."""
