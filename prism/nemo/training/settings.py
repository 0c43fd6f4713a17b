"""A training stage of our recipe as settings of NeMo's recipe for the same model. Needs no NeMo.

Attribute paths are those of NeMo 2.7.3, whose environment asserts each on the built recipe (tests/nemo/environment).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prism.nemo.training.known_models import model_settings, nemo_model
from prism.nemo.training.rules import Stage, check, stage_of
from prism.nemo.training.values import Made, Named, NemoSettings, Setting

if TYPE_CHECKING:
    from prism.recipe import Recipe

_DTYPES = {"fp32": "torch.float32", "bf16": "torch.bfloat16", "fp8": "torch.bfloat16"}
_PRECISION = "nemo.collections.llm.recipes.precision.mixed_precision"
_SCHEDULES = {"cosine": "CosineAnnealing", "linear": "WarmupAnnealing", "constant": "WarmupPolicy"}


@dataclass(frozen=True)
class Places:
    """Files of the stage as NeMo's processes see them.

    blend: (weight in percent, prefix of .bin and .idx), source by source.
    vocabulary_rows: of the token tables without padding.
    """

    folder: Path
    blend: Sequence[tuple[float, str]]
    vocabulary_rows: int

    @property
    def start(self) -> Path:
        """The weights that the stage starts from, as NeMo reads them."""
        return self.folder / "start"

    @property
    def tokenizer(self) -> Path:
        return self.folder / "tokenizer"

    @property
    def checkpoints(self) -> Path:
        """NeMo's own, of this stage."""
        return self.folder / RUN_NAME / "checkpoints"


RUN_NAME = "log"
"""Folder of NeMo's logs and checkpoints, in the stage's `nemo` folder."""


def nemo_settings(recipe: Recipe, name: str, places: Places) -> NemoSettings:
    """Every setting of the stage.

    Raises:
        RecipeErrors: NeMo can't do what the recipe says, key by key.
    """
    stage = stage_of(recipe, name)
    check(stage)
    settings = [
        *model_settings(recipe.model, places.vocabulary_rows, stage.training.sequence_length),
        *stage_settings(stage, places),
    ]
    return NemoSettings(
        nemo_model(recipe.model).recipe, RUN_NAME, str(places.folder), stage.nodes, stage.devices, settings
    )


def stage_settings(stage: Stage, places: Places) -> Iterator[Setting]:
    """All but the model's sizes; whether NeMo can do it isn't looked at."""
    yield from _recompute(stage)
    yield from _tokenizers(places)
    yield from _data(stage, places)
    yield from _trainer(stage)
    yield from _strategy(stage)
    yield from _optimizer(stage)
    yield from _schedule(stage)
    yield from _checkpoints(stage)
    yield from _start(places)


def _recompute(stage: Stage) -> Iterator[Setting]:
    cluster = stage.cluster
    full, part = cluster.recompute == "full", cluster.recompute_layers is not None
    granularity = None if cluster.recompute == "none" else cluster.recompute
    method = ("block" if part else "uniform") if full else None
    layers = (cluster.recompute_layers or 1) if full else None
    yield Setting("model.config.recompute_granularity", granularity, ("cluster.recompute",))
    if cluster.recompute == "selective":
        yield Setting("model.config.recompute_modules", ["mlp"], ("cluster.recompute",))
    yield Setting("model.config.recompute_method", method, ("cluster.recompute_layers",))
    yield Setting("model.config.recompute_num_layers", layers, ("cluster.recompute_layers",))


def _tokenizers(places: Places) -> Iterator[Setting]:
    """Model and data each have one: the run's tokenizer.json as a folder that transformers reads."""
    made = Made(
        "nemo.collections.common.tokenizers.huggingface.AutoTokenizer",
        {"pretrained_model_name": str(places.tokenizer), "use_fast": True},
    )
    yield Setting("model.tokenizer", made, ("data.tokenizer.end_of_document",))


def _data(stage: Stage, places: Places) -> Iterator[Setting]:
    training = stage.training
    made = Made("nemo.collections.llm.PreTrainingDataModule", {"paths": blend_paths(places.blend)})
    keys = ("midtrain.blend", "data.blends")
    yield Setting("data", made, keys)
    yield Setting("data.tokenizer", next(_tokenizers(places)).value, ("data.tokenizer.end_of_document",))
    yield Setting("data.seq_length", training.sequence_length, ("midtrain.sequence_length",))
    yield Setting("data.micro_batch_size", training.micro_batch_size, ("midtrain.micro_batch_size",))
    yield Setting("data.global_batch_size", training.global_batch_size, ("midtrain.global_batch_size",))
    yield Setting("data.eod_mask_loss", not training.loss_on_end_of_document, ("midtrain.loss_on_end_of_document",))
    yield Setting("data.seed", stage.recipe.run.seed, ("run.seed",))
    yield Setting("data.split", "1,0,0")
    yield Setting("data.num_workers", 2)
    yield Setting("data.index_mapping_dir", str(places.folder / "index"))


def blend_paths(blend: Sequence[tuple[float, str]]) -> list[str]:
    """Weights and prefixes in turn, as NeMo's data module takes them."""
    return [text for weight, prefix in blend for text in (repr(weight), prefix)]


def _trainer(stage: Stage) -> Iterator[Setting]:
    fp32 = Made(
        "nemo.lightning.pytorch.plugins.mixed_precision.MegatronMixedPrecision",
        {"precision": "32", "params_dtype": Named("torch.float32"), "pipeline_dtype": Named("torch.float32")},
    )
    narrow = "bf16_with_fp8_mixed" if stage.training.precision == "fp8" else "bf16_mixed"
    precision = fp32 if stage.training.precision == "fp32" else Named(f"{_PRECISION}.{narrow}", call=True)
    sizes = ("cluster.processes", "cluster.devices_per_node")
    yield Setting("trainer.num_nodes", stage.nodes, sizes)
    yield Setting("trainer.devices", stage.devices, sizes)
    yield Setting("trainer.max_steps", stage.training.steps, ("midtrain.steps",))
    yield Setting("trainer.plugins", precision, ("midtrain.precision",))
    yield Setting("trainer.limit_val_batches", 0)
    yield Setting("trainer.limit_test_batches", 0)
    yield Setting("trainer.num_sanity_val_steps", 0)
    yield Setting("trainer.log_every_n_steps", 1)
    yield Setting("trainer.val_check_interval", 0.5)  # no validation; a share for which NeMo saves after the last step


def _strategy(stage: Stage) -> Iterator[Setting]:
    cluster, path = stage.cluster, "trainer.strategy"
    interleaved = cluster.virtual_pipeline if cluster.virtual_pipeline > 1 else None
    piped = Named(_DTYPES[stage.training.precision]) if cluster.pipeline_parallel > 1 else None
    distributed = cluster.distributed_optimizer
    yield Setting(f"{path}.tensor_model_parallel_size", cluster.tensor_parallel, ("cluster.tensor_parallel",))
    yield Setting(f"{path}.pipeline_model_parallel_size", cluster.pipeline_parallel, ("cluster.pipeline_parallel",))
    yield Setting(f"{path}.virtual_pipeline_model_parallel_size", interleaved, ("cluster.virtual_pipeline",))
    yield Setting(f"{path}.pipeline_dtype", piped, ("midtrain.precision", "cluster.pipeline_parallel"))
    yield Setting(f"{path}.context_parallel_size", cluster.context_parallel, ("cluster.context_parallel",))
    yield Setting(f"{path}.sequence_parallel", cluster.sequence_parallel, ("cluster.sequence_parallel",))
    yield Setting(f"{path}.ddp.use_distributed_optimizer", distributed, ("cluster.distributed_optimizer",))
    yield Setting(f"{path}.ddp.grad_reduce_in_fp32", True)
    yield Setting(f"{path}.ddp.check_for_nan_in_grad", True)
    overlap = cluster.overlap_communication
    yield Setting(f"{path}.ddp.overlap_grad_reduce", overlap, ("cluster.overlap_communication",))
    yield Setting(f"{path}.ddp.overlap_param_gather", overlap and distributed, ("cluster.overlap_communication",))
    yield Setting(f"{path}.save_ckpt_format", "torch_dist")
    asynchronous = stage.training.checkpoint.asynchronous
    yield Setting(f"{path}.ckpt_async_save", asynchronous, ("midtrain.checkpoint.asynchronous",))
    yield Setting(f"{path}.ckpt_load_strictness", "log_all")


def _optimizer(stage: Stage) -> Iterator[Setting]:
    optimizer, path = stage.training.optimizer, "optim.config"
    named = {
        "learning_rate": "lr",
        "weight_decay": "weight_decay",
        "beta1": "adam_beta1",
        "beta2": "adam_beta2",
        "epsilon": "adam_eps",
        "clip_grad": "clip_grad",
    }
    for ours, theirs in named.items():
        yield Setting(f"{path}.{theirs}", getattr(optimizer, ours), (f"midtrain.optimizer.{ours}",))
    distributed = stage.cluster.distributed_optimizer
    yield Setting(f"{path}.use_distributed_optimizer", distributed, ("cluster.distributed_optimizer",))
    narrow = stage.training.precision != "fp32"
    yield Setting(f"{path}.bf16", narrow, ("midtrain.precision",))
    yield Setting(f"{path}.params_dtype", Named(_DTYPES[stage.training.precision]), ("midtrain.precision",))
    share = stage.cluster.offload_optimizer
    yield Setting(f"{path}.optimizer_cpu_offload", share > 0, ("cluster.offload_optimizer",))
    yield Setting(f"{path}.optimizer_offload_fraction", share, ("cluster.offload_optimizer",))
    yield Setting(f"{path}.overlap_cpu_optimizer_d2h_h2d", share > 0, ("cluster.offload_optimizer",))


def _schedule(stage: Stage) -> Iterator[Setting]:
    schedule, peak = stage.training.schedule, stage.training.optimizer.learning_rate
    arguments: dict[str, Any] = {"warmup_steps": schedule.warmup_steps, "max_steps": stage.training.steps}
    arguments["min_lr"] = peak * (1.0 if schedule.kind == "constant" else schedule.final_fraction)
    if schedule.kind == "cosine":
        arguments["constant_steps"] = 0
    kind = _SCHEDULES.get(schedule.kind, schedule.kind)
    made = Made(f"nemo.lightning.pytorch.optim.{kind}Scheduler", arguments)
    keys = tuple(f"midtrain.schedule.{key}" for key in ("kind", "warmup_steps", "final_fraction"))
    yield Setting("optim.lr_scheduler", made, (*keys, "midtrain.steps"))


def _checkpoints(stage: Stage) -> Iterator[Setting]:
    """The newest by step; NeMo's recipes keep the best by a loss that isn't measured here, and save by the clock."""
    checkpoint, path = stage.training.checkpoint, "log.ckpt"
    yield Setting("log.use_datetime_version", False)
    yield Setting(f"{path}.every_n_train_steps", checkpoint.every_steps, ("midtrain.checkpoint.every_steps",))
    yield Setting(f"{path}.train_time_interval", None, ("midtrain.checkpoint.every_steps",))
    yield Setting(f"{path}.save_top_k", checkpoint.keep_last, ("midtrain.checkpoint.keep_last",))
    yield Setting(f"{path}.monitor", "step")
    yield Setting(f"{path}.mode", "max")
    yield Setting(f"{path}.save_last", "link")
    yield Setting(f"{path}.save_optim_on_train_end", True)
    yield Setting(f"{path}.filename", "{step}")


def _start(places: Places) -> Iterator[Setting]:
    made = Made(
        "nemo.lightning.RestoreConfig",
        {"path": str(places.start), "load_model_state": True, "load_optim_state": False, "load_artifacts": False},
    )
    yield Setting("resume.restore_config", made, ("pipeline.*.from",))
    yield Setting("resume.resume_if_exists", True)
    yield Setting("resume.resume_ignore_no_checkpoint", True)
