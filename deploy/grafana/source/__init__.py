"""The dashboards as code: a module for each, of panels (board.py) that ask in PromQL (queries.py)."""
