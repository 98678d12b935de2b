"""Answers of language models: judged while they arrive, corrected, and asked for again. Pure."""
