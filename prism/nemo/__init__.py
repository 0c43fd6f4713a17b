"""NeMo-Aligner beside our own engine: its job from the same recipe, and our verifiers over its protocol.

Nothing here imports torch, megatron-core or NeMo; what runs in NeMo's environments needs `prism.recipe` at most.
"""
