"""What training did to a model: change of weights, similarity of representations.

`run` compares two stages of a recipe; `weights` any checkpoints, without megatron-core.
"""
