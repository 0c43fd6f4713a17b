"""Data sets from the hub to a disk, at a pinned commit: resumed, verified, once for all processes of a node."""

from __future__ import annotations

from data_prep.fetch.bring import FetchPlan, FetchReport, copy_source, fetch_source, plan_source
from data_prep.fetch.request import FetchRequest, hub_is_off, requests_of
from data_prep.fetch.transfer import readable

__all__ = [
    "FetchPlan",
    "FetchReport",
    "FetchRequest",
    "copy_source",
    "fetch_source",
    "hub_is_off",
    "plan_source",
    "readable",
    "requests_of",
]
