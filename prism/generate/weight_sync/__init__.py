"""Weights on their way from a trainer to a generator: Hugging Face names, buckets of bounded bytes, a version.

Any generator that knows Hugging Face's names can take part. The trainer's ranks gather whole tensors bucket by bucket
(`gather`); a transport carries them, as safetensors in a folder that both see (`folder`) or over a channel of
collectives (`broadcast`). A `Manifest` says which version they are and what is in it. See docs/decisions/0016.
"""

from prism.generate.weight_sync.buckets import Bucket, in_buckets
from prism.generate.weight_sync.manifest import Manifest, sum_tensor

__all__ = ["Bucket", "Manifest", "in_buckets", "sum_tensor"]
