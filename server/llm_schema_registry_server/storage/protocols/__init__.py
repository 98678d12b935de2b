"""What a transaction offers, by concern; storage/store.py puts the parts together."""
