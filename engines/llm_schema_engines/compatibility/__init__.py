"""Pure: which versions and directions a level asks about, and the class of a change."""
