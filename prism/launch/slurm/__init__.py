"""Nodes of a run's graph as Slurm jobs: scripts from templates, submitted in a chain, looked after, cancelled."""
