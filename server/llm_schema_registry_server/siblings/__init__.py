"""What the serving processes of one server (`server.workers`) and their supervisor know of each other."""
