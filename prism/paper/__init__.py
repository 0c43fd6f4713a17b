"""The paper's published figures as data (arXiv 2603.17074), each with its table and model; and where they disagree."""

from prism.paper.averages import above_chance, combine, macro_average, mean_of
from prism.paper.benchmarks import Average, Benchmark, Benchmarks, benchmarks
from prism.paper.contradictions import Contradiction, contradictions, disputes
from prism.paper.figures import Labels, PaperRow, PaperTable, paper_table, paper_tables
from prism.paper.mixtures import Mixtures, mixtures
from prism.paper.models import PaperModel, paper_model, paper_models

__all__ = [
    "Average",
    "Benchmark",
    "Benchmarks",
    "Contradiction",
    "Labels",
    "Mixtures",
    "PaperModel",
    "PaperRow",
    "PaperTable",
    "above_chance",
    "benchmarks",
    "combine",
    "contradictions",
    "disputes",
    "macro_average",
    "mean_of",
    "mixtures",
    "paper_model",
    "paper_models",
    "paper_table",
    "paper_tables",
]
