"""Experiments and profiles, and the training of one: engine, recipes, record, identity."""
