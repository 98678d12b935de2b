"""Every call of the API, described once: its Python signature, its request and the shape of its answer."""
