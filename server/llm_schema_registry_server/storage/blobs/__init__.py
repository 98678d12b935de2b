"""Where large contents are: with everything else, or in an object store."""
