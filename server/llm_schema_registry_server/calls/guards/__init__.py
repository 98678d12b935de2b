"""One module per concern that surrounds a call; their order is the order in which the pipeline enters them."""
