"""`midtrain` and `long_context.extend`: training over a blend."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from data_prep.schema import Packing, RunSamples
from prism.recipe.schema.base import Section
from prism.recipe.schema.checkpoint import CheckpointConfig
from prism.recipe.schema.nemo import NemoConfig
from prism.recipe.schema.optimizer import OptimizerConfig, ScheduleConfig
from prism.recipe.schema.retention import RetentionConfig
from prism.recipe.schema.validation import ValidationConfig


class MidtrainConfig(Section):
    """Pre-training and mid-training over a blend (Table 16)."""

    engine: Literal["prism", "nemo"] = Field(
        "prism", description="What trains: this package on megatron-core, or a NeMo recipe in NeMo's own container."
    )
    nemo: NemoConfig = Field(default_factory=NemoConfig, description="With engine nemo: its container.")
    blend: str = Field("math_code_science", description="Name of the blend, one of data.blends.")
    sequence_length: int = Field(8_192, gt=0, description="Tokens in a sequence (Table 16).")
    micro_batch_size: int = Field(1, gt=0, description="Sequences a device handles at once (Table 16).")
    global_batch_size: int = Field(128, gt=0, description="Sequences in an optimizer step over all devices (Table 16).")
    steps: int = Field(25_000, gt=0, description="Optimizer steps (Table 16: 26.2B tokens).")
    optimizer: OptimizerConfig = Field(default_factory=OptimizerConfig, description="AdamW.")
    schedule: ScheduleConfig = Field(default_factory=ScheduleConfig, description="Learning rate over the steps.")
    checkpoint: CheckpointConfig = Field(default_factory=CheckpointConfig, description="When to save.")
    validation: ValidationConfig = Field(
        default_factory=ValidationConfig, description="Loss on held-out documents of each source."
    )
    retention: RetentionConfig | None = Field(
        None, description="Gate that watches the skill of the model that the stage started from; null means none."
    )
    blend_changes: dict[int, str] = Field(
        default_factory=dict,
        description="Other blends, by the number of steps after which they begin: each source goes on where it was, "
        "nothing is repeated or skipped.",
    )
    packing: Literal["concatenate", "best_fit"] = Field(
        "concatenate",
        description="concatenate: documents end to end, cut into sequences (Megatron's way). best_fit: whole documents "
        "side by side by Best-Fit Decreasing (section 8.1); needs micro_batch_size 1.",
    )
    pack_overlap_tokens: int = Field(
        0,
        ge=0,
        description="With best_fit: what a piece of a document longer than a sequence repeats of the one before.",
    )
    min_document_tokens: int = Field(
        0, ge=0, description="With best_fit: shorter documents are left out (section 8.1: short samples filtered out)."
    )
    attention_across_documents: bool | None = Field(
        None,
        description="Whether documents in a sequence see each other. null: yes with concatenate (Megatron's default; "
        "the paper doesn't say), no with best_fit. false needs micro_batch_size 1.",
    )
    loss_on_end_of_document: bool = Field(
        True,
        description="With concatenate: whether the position of the end token, which predicts the next document's first "
        "token, counts in the loss. Megatron's default (eod_mask_loss off); the paper doesn't say.",
    )
    precision: Literal["fp32", "bf16", "fp8"] = Field(
        "bf16",
        description="Of weights and activations; gradients are fp32. fp8 is bf16 whose linear layers multiply in 8 "
        "bits: it needs Transformer Engine and a GPU that can (Ada, Hopper or later).",
    )
    trainable: Literal["all", "attention"] = Field("all", description="Which weights are trained.")

    @property
    def tokens(self) -> int:
        """Tokens that the stage sees."""
        return self.samples * self.sequence_length

    @property
    def samples(self) -> int:
        """Sequences that the stage sees."""
        return self.steps * self.global_batch_size

    @property
    def documents_apart(self) -> bool:
        """Whether documents in a sequence don't see each other."""
        return self.packing == "best_fit" or self.attention_across_documents is False

    @property
    def pack(self) -> Packing | None:
        """How the blend's sources are packed; None where documents are concatenated."""
        if self.packing == "concatenate":
            return None
        return Packing(
            capacity=self.sequence_length, overlap=self.pack_overlap_tokens, min_tokens=self.min_document_tokens
        )

    @property
    def run_samples(self) -> RunSamples:
        """What the stage asks of the data."""
        return RunSamples(
            blends=tuple(self.blends()),
            length=self.sequence_length,
            samples=self.samples,
            packing=self.pack,
            documents_apart=self.documents_apart,
            loss_on_end=self.loss_on_end_of_document,
        )

    def every_blend(self) -> list[str]:
        """Names of all blends that the stage may take samples from."""
        planned = [blend for _, blend in self.blends()]
        return list(dict.fromkeys(planned + ([] if self.alternative is None else [self.alternative])))

    @property
    def alternative(self) -> str | None:
        """The blend that the retention gate may change to."""
        return self.retention.switch_to if self.retention is not None else None

    def blends(self) -> list[tuple[int, str]]:
        """(first sample, blend), in order."""
        changes = sorted(self.blend_changes.items())
        return [(0, self.blend), *((step * self.global_batch_size, blend) for step, blend in changes)]


class ExtendConfig(MidtrainConfig):
    """Further training at a longer context (section 8.1): documents are packed whole and don't see each other."""

    packing: Literal["concatenate", "best_fit"] = Field(
        "best_fit", description="As in midtrain; here Best-Fit Decreasing is the default (section 8.1)."
    )
