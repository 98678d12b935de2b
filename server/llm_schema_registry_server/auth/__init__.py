"""Who calls, and whether they may: pure decisions about credentials, and the keys that they need."""
