"""The recipe's `data` section. Pydantic only, so it can be read anywhere."""

from __future__ import annotations

from data_prep.schema.base import Section
from data_prep.schema.data import DataConfig, TokenizerConfig, WorldConfig
from data_prep.schema.decontamination import DecontaminationConfig
from data_prep.schema.packing import Packing, lock_name
from data_prep.schema.prompts import PromptSet, PromptSources
from data_prep.schema.samples import RunSamples
from data_prep.schema.source import JoinConfig, PromptsConfig, Rule, SampleConfig, SourceConfig

__all__ = [
    "DataConfig",
    "DecontaminationConfig",
    "JoinConfig",
    "Packing",
    "PromptSet",
    "PromptSources",
    "PromptsConfig",
    "Rule",
    "RunSamples",
    "SampleConfig",
    "Section",
    "SourceConfig",
    "TokenizerConfig",
    "WorldConfig",
    "lock_name",
]
