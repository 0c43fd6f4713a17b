"""The generators of docs/_site, imported as MkDocs imports them: by their folder."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "docs" / "_site"))
