"""How far training moved the weights, where, in which direction, and how many stayed (paper section 10).

| file | what |
|---|---|
| `sources` | opens what can be compared, of any format, under Hugging Face names |
| `together` | holds names, shapes and types of several sources against each other |
| `components` | names to components, sub-components and layers; fused matrices apart |
| `walk`, `tensor` | reads everything once, in blocks and threads |
| `blocks`, `kernel` | the sums over a block |
| `change`, `relation`, `groups` | figures of sums, by part of the model |
| `journal` | what is finished of a comparison that isn't |
| `compare` | a comparison whole, and its JSON |
| `footprint` | whether two trainings change the same parts |
| `series` | checkpoints of a stage against its start |
"""

from prism.analyze.weights.answers import Asked
from prism.analyze.weights.change import THRESHOLDS_PERCENT
from prism.analyze.weights.compare import Analysis, Comparison, analyse, write_analysis
from prism.analyze.weights.sources import Source, open_source, open_sources

__all__ = [
    "THRESHOLDS_PERCENT",
    "Analysis",
    "Asked",
    "Comparison",
    "Source",
    "analyse",
    "open_source",
    "open_sources",
    "write_analysis",
]
