"""A run in the paper's words: its model, and what each stage is to the paper's pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from data_prep.files import sha256_file
from prism.paper import benchmarks, paper_model, paper_models
from prism.report.reading import Artifact
from prism.report.results import Results
from prism.report.weight_shapes import WeightComparison

Kind = Literal["base", "mid", "rl"]
MIXES = {"none": "-", "math": "M", "math_code": "MC", "math_code_science": "MCS"}
"""How the paper abbreviates mixtures."""

ROUNDED = "bfloat16, rounded"
"""How fp32 weights are compared that were rounded first."""

LEGEND = "M = math, MC = math and code, MCS = math, code and science; MT = mid-training."


@dataclass(frozen=True)
class Role:
    """`midtrain` and `rl`: mixture of the last stage of that kind on its path, or "none".

    `like_paper`: the path is of base model, mid-training and RL alone, at most one of each.
    """

    stage: str
    kind: Kind
    midtrain: str
    rl: str
    base: str | None
    mid: str | None
    like_paper: bool


@dataclass(frozen=True)
class Subject:
    """`model`: its name among the paper's models, None for another. `title`: how the tables call the run's model."""

    results: Results
    model: str | None
    title: str
    roles: Mapping[str, Role]
    hashed: dict[str, Artifact] = field(default_factory=dict)

    @property
    def has_paper_benchmarks(self) -> bool:
        """Whether any task of the run is one of the paper's benchmarks."""
        tasks = {name for stage in self.results.stages.values() for name in stage.tasks}
        tasks.update(self.results.recipe.evaluate.tasks)
        return any(tasks & set(one.tasks) for one in benchmarks().benchmarks.values())

    def stages(self, *kinds: Kind) -> list[Role]:
        """Roles of these kinds, those of the main chain first."""
        chain = self.results.main_chain()
        found = [role for role in self.roles.values() if role.kind in kinds]
        return sorted(found, key=lambda role: (kinds.index(role.kind), role.stage not in chain))

    def artifact(self, path: str) -> Artifact:
        """A file of the run with its hash."""
        if not self.hashed:
            self.hashed.update({one.path: one for one in self.results.artifacts})
        if path not in self.hashed:
            file = self.results.directory / path
            self.hashed[path] = Artifact(path, file.stat().st_size, sha256_file(file))
        return self.hashed[path]

    def weights(self, before: str, after: str) -> WeightComparison | None:
        """As the paper takes it: of fp32 weights what is left after rounding both to bf16, where that was measured."""
        found = self.results.weights.get((before, after))
        if found is None or found.in_bf16 is None:
            return found
        rounded = found.in_bf16
        return replace(
            found,
            total=rounded.total,
            by_component=rounded.by_component,
            by_sub_component=rounded.by_sub_component,
            by_layer=rounded.by_layer,
            dtype=ROUNDED,
        )


def subject_of(results: Results) -> Subject:
    """Tells model and roles from the resolved recipe."""
    model = _model(results)
    title = paper_models()[model].title if model is not None else results.recipe.run.name
    roles = {name: role for name in results.stages if (role := _role(results, name)) is not None}
    return Subject(results, model, title, roles)


def _model(results: Results) -> str | None:
    """The paper's model whose published weights the pipeline starts from."""
    for node in results.recipe.pipeline.values():
        if node.stage == "import":
            found = paper_model(_text(node.settings.get("hub")), _text(node.settings.get("path")))
            if found is not None:
                return found
    return None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _role(results: Results, name: str) -> Role | None:
    path = results.path_to(name)
    kinds = [results.stages[stage].kind for stage in path]
    kind: Kind
    match kinds[-1]:
        case "rl":
            kind = "rl"
        case "midtrain":
            kind = "mid"
        case "import" | "pretrain" if _is_started_from(results, name):
            kind = "base"
        case _:
            return None
    mids = [stage for stage in path if results.stages[stage].kind == "midtrain"]
    bases = [stage for stage in path if results.stages[stage].kind in ("import", "pretrain")]
    return Role(
        stage=name,
        kind=kind,
        midtrain=(results.stages[mids[-1]].blend or "none") if mids else "none",
        rl=_rl_mix(results, name) if kind == "rl" else "none",
        base=bases[-1] if bases else None,
        mid=mids[-1] if mids else None,
        like_paper=set(kinds) <= {"import", "pretrain", "midtrain", "rl"}
        and kinds.count("midtrain") <= 1
        and kinds.count("rl") <= 1,
    )


def _is_started_from(results: Results, name: str) -> bool:
    """Whether mid-training or RL starts from it, or nothing does at all."""
    children = [stage.kind for stage in results.stages.values() if stage.parent == name]
    return bool({"midtrain", "rl"} & set(children)) or not children


def _rl_mix(results: Results, name: str) -> str:
    """By the domains of its prompts, in the paper's order."""
    settings = results.recipe.pipeline[name].settings
    mix: Mapping[str, float] = settings.get("mix") or results.recipe.rl.get("mix") or {}
    domains = [domain for domain in ("math", "code", "science") if mix.get(domain)]
    others = sorted(domain for domain, share in mix.items() if share and domain not in domains)
    return "_".join([*domains, *others]) or "unknown"
