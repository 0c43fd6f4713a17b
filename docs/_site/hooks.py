"""MkDocs hook: adds the pages that are generated from the code, and refuses a site with a broken link.

Only `make docs` imports this folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import commands
import exit_codes
import links
import recipe_keys
import rooms
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files


def on_files(files: Files, config: Any) -> Files:
    """Generated pages beside those of docs/."""
    pages = {
        **recipe_keys.pages(),
        **commands.pages(),
        **exit_codes.pages(),
        **rooms.pages(),
        **_of_the_project(config),
    }
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """The licence lies beside docs/, and is a page of the site."""
    return markdown.replace("](../LICENSE)", "](project/licence.md)")


def on_post_build(config: Any) -> None:
    """Raises PluginError when a link of the built site leads nowhere, or a page wants something from elsewhere."""
    site = Path(config["site_dir"])
    wrong = [*links.broken(site), *links.fetched_from_elsewhere(site)]
    if wrong:
        raise PluginError("\n".join(wrong))


def _of_the_project(config: Any) -> dict[str, str]:
    root = Path(config["docs_dir"]).parent
    licence = (root / "LICENSE").read_text()
    changes = (root / "CHANGELOG.md").read_text()
    return {"project/licence.md": f"# Licence\n\n```text\n{licence}```\n", "project/changes.md": changes}
