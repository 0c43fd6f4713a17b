"""LLaMA: pre-norm decoder with RMSNorm, RoPE, grouped-query attention and SwiGLU."""
