"""The folder of a NeMo-Aligner job: settings, prompts, scripts, and how to run it."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from data_prep.files import write_bytes, write_json, write_text
from prism.errors import BadInput, UsageError
from prism.nemo.overrides import Places, overrides
from prism.nemo.prompts import Prompt, Split, write_prompts
from prism.nemo.support import NotHonoured, check

if TYPE_CHECKING:
    from prism.recipe import Recipe

TEMPLATES = Path(__file__).resolve().parents[2] / "slurm"
_THERE = {"llama": "convert_llama_hf_to_nemo.py", "mistral": "convert_mistral_7b_hf_to_nemo.py"}
_BACK = {
    "llama": "convert_llama_nemo_to_hf.py --input_name_or_path {policy} --output_path {out}/pytorch_model.bin "
    "--hf_input_path {hf} --hf_output_path {out}/hf --precision bf16",
    "mistral": "convert_mistral_7b_nemo_to_hf.py --input_name_or_path {policy} --output_path {out}/hf "
    "--hf_model_name {hf}",
}
"""By family: NeMo 2.1.0's scripts, there and back."""


@dataclass(frozen=True)
class Job:
    """What was written. `missed`: keys of the recipe that Aligner won't honour."""

    folder: Path
    prompts: int
    missed: Sequence[NotHonoured]


@dataclass(frozen=True)
class Material:
    """What a job is made of beside the recipe.

    hf: the parent stage's Hugging Face folder.
    steps: every step's prompts.
    longest_prompt: in tokens.
    """

    hf: Path
    tokenizer: Path
    parts: Split
    steps: Iterable[Sequence[Prompt]]
    longest_prompt: int


def write_job(recipe: Recipe, stage: str, folder: Path, material: Material) -> Job:
    """Writes the folder; what is there already is replaced file by file, so that a started job can go on.

    Raises:
        BadInput: the parent's Hugging Face folder isn't there.
        RecipeError: Aligner can't do what the recipe asks.
        UsageError: the folder holds something else.
    """
    missed = check(recipe, stage)
    if folder.exists() and any(folder.iterdir()) and not (folder / "overrides.txt").is_file():
        raise UsageError("the folder holds something else", place=str(folder), remedy="name another with --out")
    if not (material.hf / "config.json").is_file():
        raise BadInput(
            "no Hugging Face folder to start from",
            place=str(material.hf),
            remedy=f"run the stage before it: prism run RECIPE --only {recipe.parent_of(stage)}",
        )
    folder = folder.resolve()
    places = Places(
        policy=str(folder / "policy.nemo"),
        results=str(folder / "results"),
        train=str(folder / "prompts" / "train.jsonl"),
        validation=str(folder / "prompts" / "validation.jsonl"),
    )
    lines = overrides(recipe, stage, places, material.longest_prompt)
    for part in ("logs", "results", "prompts"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    write_text(folder / "overrides.txt", "".join(f"{line}\n" for line in lines))
    written = write_prompts(folder / "prompts", material.parts, material.steps)
    config = recipe.rl_config(stage)
    settings = {
        "end_of_document": recipe.data.tokenizer.end_of_document,
        "rewards": config.rewards.model_dump(mode="json"),
        "sandbox": recipe.sandbox.model_dump(mode="json"),
    }
    write_json(folder / "rewards.json", settings)
    write_bytes(folder / "tokenizer.json", material.tokenizer.read_bytes())
    shutil.copyfile(Path(__file__).with_name("reward_server.py"), folder / "reward_server.py")
    values = _values(recipe, stage, folder, material)
    counts = {"train": written, "validation": len(material.parts.validation), "steps": config.steps}
    for template, name in _FILES.items():
        text = _render(template, {**values, **counts, "missed": missed, "doubled": material.parts.doubled})
        write_text(folder / name, text)
    return Job(folder, written, missed)


_FILES = {
    "aligner.sbatch.j2": "aligner.sbatch",
    "aligner_convert.sh.j2": "convert.sh",
    "aligner_actor.sh.j2": "actor.sh",
    "aligner_rewards.sh.j2": "rewards.sh",
    "aligner_readme.md.j2": "README.md",
}


def _values(recipe: Recipe, stage: str, folder: Path, material: Material) -> dict[str, Any]:
    config, cluster = recipe.rl_config(stage), recipe.cluster_config(stage)
    aligner, hf = config.aligner, material.hf.resolve()
    converters = Path(aligner.nemo_folder) / "scripts" / "checkpoint_converters"
    family = recipe.model.family
    policy = f"{folder}/results/checkpoints/megatron_gpt_reinforce_actor.nemo"
    return {
        "name": f"{recipe.run.name}-{stage}-aligner",
        "stage": stage,
        "job": str(folder),
        "nodes": cluster.processes // cluster.devices_per_node,
        "devices": cluster.devices_per_node,
        "minutes": aligner.time_limit_minutes,
        "partition": cluster.slurm.partition,
        "account": cluster.slurm.account,
        "mounts": ",".join([f"{folder}:{folder}", f"{hf}:{hf}", *cluster.slurm.mounts]),
        "actor_image": aligner.container,
        "rewards_image": aligner.rewards.container,
        "cpus": aligner.rewards.cpus,
        "port": aligner.rewards.port,
        "triton_python": aligner.rewards.triton_python,
        "prism_python": aligner.rewards.prism_python,
        "aligner": aligner.folder,
        "policy": str(folder / "policy.nemo"),
        "hf": str(hf),
        "converter": str(converters / _THERE[family]),
        "back": f"python {converters}/{_BACK[family].format(policy=policy, hf=hf, out=folder / 'results')}",
    }


def _render(template: str, values: Mapping[str, Any]) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["quoted"] = shlex.quote
    return environment.get_template(template).render(values)
