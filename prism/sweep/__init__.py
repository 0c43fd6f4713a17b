"""Sweeps: one recipe run with other keys, what is alike done once, the figures in a table with a plot."""
