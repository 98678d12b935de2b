"""Several serving processes of one server (`server.workers`): started, kept, replaced and stopped by one that serves nobody."""
