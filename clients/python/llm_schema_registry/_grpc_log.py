"""Keeps the notes of gRPC's C core off the terminal: what fails is raised as an exception, with the same reason.

gRPC reads the variable when it is imported; GRPC_VERBOSITY=INFO in the environment brings the notes back.
"""

import os

os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
