"""Public training configurations on 80 GB devices, and whether they fit there.

Sources, as read: NVIDIA/dgxc-benchmarking (READMEs of llama3.1, nemotron, nemo_megatron), NVIDIA/NeMo (recipe
nemotronh_8b), NVIDIA/NeMo-Framework-Launcher (nemotron_340b.yaml: sizes, 8 groups, gradients in bf16), and
alibaba/Megatron-LLaMA issue 11. Sizes of GPT-3 and Nemotron-4 are those of the READMEs' FLOPs; their MLPs have two
matrices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from prism.plan.memory import Work
from prism.recipe import ClusterConfig, ModelConfig, load_recipe

_DGXC = "https://github.com/NVIDIA/dgxc-benchmarking/blob/main/"
_LLAMA = {
    "family": "llama",
    "rope_base": 500_000,
    "num_query_groups": 8,
    "head_dim": 128,
    "activation": "swiglu",
    "vocab_size": 128_256,
    "max_position_embeddings": 8_192,
}
_GPT = {"family": "llama", "rope_base": None, "activation": "squared_relu", "max_position_embeddings": 4_096}
_MODELS: dict[str, dict[str, Any]] = {
    "Llama 2 7B": {
        **_LLAMA,
        "num_layers": 32,
        "hidden_size": 4_096,
        "num_attention_heads": 32,
        "num_query_groups": 32,
        "ffn_hidden_size": 11_008,
        "vocab_size": 32_000,
    },
    "Llama 3.1 8B": {
        **_LLAMA,
        "num_layers": 32,
        "hidden_size": 4_096,
        "num_attention_heads": 32,
        "ffn_hidden_size": 14_336,
    },
    "Llama 3.1 70B": {
        **_LLAMA,
        "num_layers": 80,
        "hidden_size": 8_192,
        "num_attention_heads": 64,
        "ffn_hidden_size": 28_672,
    },
    # 126 layers, which no equal pipeline of 8 x 8 chunks divides.
    "Llama 3.1 405B": {
        **_LLAMA,
        "num_layers": 128,
        "hidden_size": 16_384,
        "num_attention_heads": 128,
        "ffn_hidden_size": 53_248,
    },
    "Nemotron-4 15B": {
        **_GPT,
        "num_layers": 32,
        "hidden_size": 6_144,
        "num_attention_heads": 48,
        "num_query_groups": 8,
        "ffn_hidden_size": 24_576,
        "vocab_size": 256_000,
    },
    "Nemotron-4 340B": {
        **_GPT,
        "num_layers": 96,
        "hidden_size": 18_432,
        "num_attention_heads": 96,
        "num_query_groups": 8,
        "ffn_hidden_size": 73_728,
        "vocab_size": 256_000,
    },
    "GPT-3 175B": {
        **_GPT,
        "num_layers": 96,
        "hidden_size": 12_288,
        "num_attention_heads": 96,
        "ffn_hidden_size": 49_152,
        "vocab_size": 51_200,
    },
}


@dataclass(frozen=True)
class Published:
    """step_s: published seconds of a step in bf16 on H100, where stated.

    tight: it fits the published software alone, whose layers are fused or whose gradients are narrower.
    """

    model: str
    devices: int
    source: str
    fits: bool
    tensor: int = 1
    pipeline: int = 1
    virtual: int = 1
    context: int = 1
    micro_batch_size: int = 1
    global_batch_size: int = 128
    length: int = 8_192
    step_s: float | None = None
    distributed: bool = True
    tight: bool = False

    @property
    def layout(self) -> str:
        sizes = {"TP": self.tensor, "PP": self.pipeline, "VP": self.virtual, "CP": self.context}
        return " ".join(f"{name}{size}" for name, size in sizes.items() if size > 1) or "DP"

    def work(self) -> Work:
        replicas = self.devices // (self.tensor * self.pipeline * self.context)
        cluster = ClusterConfig(
            processes=self.devices,
            tensor_parallel=self.tensor,
            pipeline_parallel=self.pipeline,
            virtual_pipeline=self.virtual,
            context_parallel=self.context,
            sequence_parallel=self.tensor > 1,
            distributed_optimizer=self.distributed,
        )
        model = (
            load_recipe("nemotron_h_8b/math").model
            if self.model == "Nemotron-H 8B"
            else ModelConfig.model_validate(_MODELS[self.model])
        )
        batches = self.global_batch_size // self.micro_batch_size // replicas
        vocab_size = model.vocab_size or 0
        return Work(model, vocab_size, cluster, self.micro_batch_size, self.length, batches, "bf16")


PUBLISHED = (
    Published("Llama 3.1 8B", 8, _DGXC + "llama3.1/README_8b.md", True, context=2, step_s=12.91, tight=True),
    Published(
        "Llama 3.1 8B", 128, _DGXC + "llama3.1/README_8b.md", True, context=2, global_batch_size=2_048, step_s=13.10
    ),
    Published(
        "Llama 3.1 70B",
        64,
        _DGXC + "llama3.1/README_70b.md",
        True,
        tensor=4,
        pipeline=4,
        virtual=5,
        context=2,
        step_s=14.72,
    ),
    Published(
        "Nemotron-4 15B",
        16,
        _DGXC + "nemotron/README_15b.md",
        True,
        tensor=4,
        micro_batch_size=4,
        global_batch_size=64,
        length=4_096,
        step_s=2.812,
    ),
    Published(
        "Nemotron-4 340B",
        128,
        _DGXC + "nemotron/README_340b.md",
        True,
        tensor=8,
        pipeline=8,
        virtual=12,
        global_batch_size=32,
        length=4_096,
        step_s=4.61,
        tight=True,
    ),
    Published(
        "GPT-3 175B",
        128,
        _DGXC + "nemo_megatron/README_175b.md",
        True,
        tensor=4,
        pipeline=8,
        virtual=12,
        global_batch_size=256,
        length=2_048,
        step_s=8.309,
    ),
    Published(
        "Llama 3.1 405B",
        512,
        _DGXC + "llama3.1/README.md",
        True,
        tensor=8,
        pipeline=8,
        virtual=8,
        context=2,
        global_batch_size=256,
        tight=True,
    ),
    Published(
        "Nemotron-H 8B",
        8,
        "https://github.com/NVIDIA/NeMo/blob/main/nemo/collections/llm/recipes/nemotronh_8b.py",
        True,
        tensor=2,
        global_batch_size=8,
    ),
    Published("Llama 3.1 8B", 1, _DGXC + "llama3.1/README_8b.md", False),
    Published("Llama 3.1 70B", 8, _DGXC + "llama3.1/README_70b.md", False, tensor=8),
    Published("Nemotron-4 340B", 64, _DGXC + "nemotron/README_340b.md", False, tensor=8, pipeline=8, length=4_096),
    Published("GPT-3 175B", 32, _DGXC + "nemo_megatron/README_175b.md", False, tensor=4, pipeline=8, length=2_048),
    Published(
        "Llama 3.1 405B",
        128,
        _DGXC + "llama3.1/README.md",
        False,
        tensor=8,
        pipeline=8,
        virtual=8,
        context=2,
    ),
    Published(
        "Llama 2 7B",
        2,
        "https://github.com/alibaba/Megatron-LLaMA/issues/11",
        False,
        tensor=2,
        micro_batch_size=4,
        length=4_096,
        distributed=False,
    ),
)
