"""Where the registry keeps what it knows: one protocol (store.py), several back ends."""
