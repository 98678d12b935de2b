"""Pure engines, one per schema type, behind one protocol (engine.py): text in, values out."""
