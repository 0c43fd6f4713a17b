"""What a recipe's stages take, before anything runs: memory, time, disk; and layouts that fit."""
