"""Runs the engines' pure functions inline, or in supervised subprocesses that can be killed."""
