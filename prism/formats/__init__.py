"""Checkpoints on disk, read and written tensor by tensor: Hugging Face folders and Megatron's torch_dist."""
