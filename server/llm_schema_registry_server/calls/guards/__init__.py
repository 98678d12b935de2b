"""One module per concern that surrounds a call; `standard` lists those of a server in their order."""
