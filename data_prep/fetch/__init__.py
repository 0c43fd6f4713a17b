"""Data sets from the hub to a disk, at a pinned commit: resumed, verified, once for all processes of a node."""

from __future__ import annotations

from data_prep.fetch.bring import FetchReport, copy_source, fetch_source
from data_prep.fetch.plan import FetchPlan, is_begun, plan_source
from data_prep.fetch.request import FetchRequest, check_folders, hub_is_off, left_out, requests_of
from data_prep.fetch.transfer import readable
from data_prep.fetch.verify import faults, record_of

__all__ = [
    "FetchPlan",
    "FetchReport",
    "FetchRequest",
    "check_folders",
    "copy_source",
    "faults",
    "fetch_source",
    "hub_is_off",
    "is_begun",
    "left_out",
    "plan_source",
    "readable",
    "record_of",
    "requests_of",
]
