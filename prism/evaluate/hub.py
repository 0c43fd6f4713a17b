"""Data sets of the hub that a task names: brought to the folder of its `path` when that isn't there."""

from __future__ import annotations

import logging
import shlex
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from data_prep.errors import DataError
from prism.errors import BadInput

log = logging.getLogger("prism.evaluate")


class HubData(BaseModel):
    """A data set of the hub, or some of its files."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(description="Id on the hub, such as math-ai/aime25.")
    revision: str = Field("main", description="Branch, tag or commit.")
    files: tuple[str, ...] = Field(
        ("*",), description="Files of the config and split wanted, in the manner of fnmatch."
    )
    licence: str = Field(description="As the set's card says.")
    gated: bool = Field(False, description="The hub asks for an account that accepted the set's terms.")

    def command(self, folder: Path) -> str:
        """What brings it to a folder, on a machine with a network."""
        included = [part for pattern in self.files if pattern != "*" for part in ("--include", pattern)]
        words = ["hf", "download", self.id, "--repo-type", "dataset", "--revision", self.revision, *included]
        return shlex.join([*words, "--local-dir", str(folder)])


def bring(hub: HubData, folder: Path, task: str) -> None:
    """Fetches the files to `folder`, verified; goes on where an earlier call stopped. Processes of a node fetch once.

    Raises:
        BadInput: they can't be had; says how to bring them by hand.
    """
    from data_prep.fetch import FetchRequest, fetch_source

    request = FetchRequest(
        name=folder.name,
        hub=hub.id,
        revision=hub.revision,
        patterns=hub.files,
        licence=hub.licence,
        licence_url=f"https://huggingface.co/datasets/{hub.id}",
        gated=hub.gated,
    )
    try:
        fetch_source(request, folder.parent, log=log.info)
    except (DataError, OSError, ImportError) as error:
        why = error.message if isinstance(error, DataError) else f"{type(error).__name__}: {error}"
        terms = f"accept the terms at {request.licence_url} and set HF_TOKEN; then " if hub.gated else ""
        raise BadInput(
            f"the data of task {task} isn't there and can't be fetched ({why})",
            place=str(folder),
            remedy=f"{terms}{hub.command(folder)}, where there is a network; another folder: evaluate.data.{task} or "
            "PRISM_DATA; or leave the task out",
        ) from None
