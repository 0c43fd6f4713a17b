"""NeMo as the engine of a training stage: its recipe from ours, its run, its checkpoints.

`settings` and `rules` are plain and import anywhere; `build` and `run` need NeMo.
"""
