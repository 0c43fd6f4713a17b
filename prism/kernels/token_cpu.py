"""Compiled steps of decoding on a CPU, in float32: one token a sequence is too little work for torch's operators.

A step of the miniature is some twenty operators a layer, of which most cost more to start than to do. Here RoPE, cache
and attention are one pass that reads every key once, and only those that its own sequence has; the norm and SwiGLU are
one each. A row's result depends on that row alone. They take numpy arrays and write what they find into the last one:
`prism.megatron.decode_cpu` calls them on weights and buffers in place.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np

_Pass = Callable[..., None]
_compiled = numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
_LOG2_E = np.float32(1.4426950408889634)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_LEAST = np.float32(-87.0)
_SHIFT = np.int32(23)


@numba.njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"}, error_model="numpy")
def _exp(x: Any, bits: Any, powers: Any, most: Any, count: int) -> Any:
    """x <- exp(x - most) for its first `count` values, none above `most`; their sum.

    In loops that vectorise, to 2e-7 of each (Cephes' expf).

    Args: bits: the same memory as x, as int32; powers: room for as many int32.
    """
    for at in range(count):
        value = max(x[at] - most, _LEAST)
        power = np.int32(value * _LOG2_E - np.float32(0.5))
        whole = np.float32(power)
        rest = value - whole * _LN2_HIGH - whole * _LN2_LOW
        sum_ = np.float32(1.9875691500e-4)
        sum_ = sum_ * rest + np.float32(1.3981999507e-3)
        sum_ = sum_ * rest + np.float32(8.3334519073e-3)
        sum_ = sum_ * rest + np.float32(4.1665795894e-2)
        sum_ = sum_ * rest + np.float32(1.6666665459e-1)
        sum_ = sum_ * rest + np.float32(5.0000001201e-1)
        x[at] = sum_ * rest * rest + rest + np.float32(1)
        powers[at] = power << _SHIFT
    total = np.float32(0)
    for at in range(count):
        bits[at] += powers[at]
    for at in range(count):
        total += x[at]
    return total


@_compiled
def rms_norm(x: Any, weight: Any, epsilon: Any, out: Any) -> None:
    """`prism.kernels.norm.rms_norm` of a matrix, (rows, width)."""
    rows, width = x.shape
    for row in range(rows):
        source, target = x[row], out[row]
        squares = np.float32(0)
        for at in range(width):
            squares += source[at] * source[at]
        factor = np.float32(1) / np.sqrt(squares / np.float32(width) + epsilon)
        for at in range(width):
            target[at] = source[at] * factor * weight[at]


@_compiled
def swiglu(x: Any, out: Any) -> None:
    """`prism.kernels.activation.swiglu` of a matrix, (rows, 2 x width) -> (rows, width)."""
    rows, width = out.shape
    e, powers = np.empty(width, np.float32), np.empty(width, np.int32)
    bits = e.view(np.int32)
    for row in range(rows):
        source, target = x[row], out[row]
        for at in range(width):
            e[at] = -abs(source[at])
        _exp(e, bits, powers, np.float32(0), width)
        for at in range(width):
            gate = source[at]
            top = e[at] if gate < 0 else np.float32(1)
            target[at] = gate * top / (np.float32(1) + e[at]) * source[width + at]


@cache
def attend(dim: int) -> _Pass:
    """The pass for heads of `dim`, which the compiler has to know to keep a head in registers.

    It turns queries and keys of one token a slot, stores key and value, and attends to all that the slot holds.

    Shapes: mixed (slots, groups, heads of a group + 2, dim): queries, key, value; cos and sin (positions, dim), as
    `prism.kernels.rope.Rotation` has them; lengths (slots,) before this token; keys and values (slots, groups,
    capacity, dim), written to; out (slots, groups, heads, dim). `window`: positions that are seen, this one counted; 0
    sees all.
    """
    half = dim // 2

    @_compiled
    def attend(
        mixed: Any, cos: Any, sin: Any, lengths: Any, keys: Any, values: Any, scale: Any, window: Any, out: Any
    ) -> None:
        groups, heads = mixed.shape[1], mixed.shape[2] - 2
        weights, powers = np.empty(keys.shape[2], np.float32), np.empty(keys.shape[2], np.int32)
        bits, query = weights.view(np.int32), np.empty(dim, np.float32)
        for slot in range(len(lengths)):
            last = lengths[slot]
            first = max(0, last + 1 - window) if window > 0 else 0
            seen, fours = last + 1 - first, (last + 1 - first) // 4 * 4
            turn, lift = cos[last], sin[last]
            for group in range(groups):
                source, target = mixed[slot, group, heads], keys[slot, group, last]
                for at in range(half):
                    target[at] = source[at] * turn[at] + source[at + half] * lift[at]
                    target[at + half] = source[at + half] * turn[at + half] + source[at] * lift[at + half]
                values[slot, group, last] = mixed[slot, group, heads + 1]
                k, v = keys[slot, group, first:], values[slot, group, first:]
                for head in range(heads):
                    source, result = mixed[slot, group, head], out[slot, group, head]
                    for at in range(half):
                        query[at] = (source[at] * turn[at] + source[at + half] * lift[at]) * scale
                        query[at + half] = (source[at + half] * turn[at + half] + source[at] * lift[at + half]) * scale
                    for place in range(0, fours, 4):
                        k0, k1, k2, k3 = k[place], k[place + 1], k[place + 2], k[place + 3]
                        s0 = s1 = s2 = s3 = np.float32(0)
                        for at in range(dim):
                            s0 += query[at] * k0[at]
                            s1 += query[at] * k1[at]
                            s2 += query[at] * k2[at]
                            s3 += query[at] * k3[at]
                        weights[place], weights[place + 1], weights[place + 2], weights[place + 3] = s0, s1, s2, s3
                    for place in range(fours, seen):
                        k0, s0 = k[place], np.float32(0)
                        for at in range(dim):
                            s0 += query[at] * k0[at]
                        weights[place] = s0
                    most = weights[0]
                    for place in range(1, seen):
                        most = max(most, weights[place])
                    total = _exp(weights, bits, powers, most, seen)
                    for at in range(dim):
                        result[at] = np.float32(0)
                    for place in range(0, fours, 4):
                        v0, v1, v2, v3 = v[place], v[place + 1], v[place + 2], v[place + 3]
                        w0, w1, w2, w3 = weights[place], weights[place + 1], weights[place + 2], weights[place + 3]
                        for at in range(dim):
                            result[at] += w0 * v0[at] + w1 * v1[at] + w2 * v2[at] + w3 * v3[at]
                    for place in range(fours, seen):
                        v0, w0 = v[place], weights[place]
                        for at in range(dim):
                            result[at] += w0 * v0[at]
                    for at in range(dim):
                        result[at] /= total

    compiled: _Pass = attend
    return compiled
