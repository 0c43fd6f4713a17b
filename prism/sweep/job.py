"""One call of the pipeline in a process of its own: `python -m prism.sweep.job JOB`, JOB as JSON."""

from __future__ import annotations

import json
import sys
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path

from prism.launch.child import die_with_parent


@dataclass(frozen=True)
class JobOrder:
    """`recipe` with `overrides`; of it the nodes `only`; what the runs in `reuse_from` did alike is taken from them."""

    recipe: str
    overrides: tuple[str, ...]
    only: tuple[str, ...]
    reuse_from: tuple[str, ...]
    parent: int

    def command(self) -> list[str]:
        return [sys.executable, "-m", "prism.sweep.job", json.dumps(asdict(self))]


def main() -> None:
    order = JobOrder(**json.loads(sys.argv[1]))
    die_with_parent(order.parent)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        _run(order)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        code = getattr(error, "exit_code", None)
        if code is None:
            traceback.print_exc()
        for line in str(error).splitlines():
            print(f"error: {line}")
        sys.exit(code if code is not None else 1)


def _run(order: JobOrder) -> None:
    from prism.pipeline.run import run
    from prism.recipe import load_recipe

    recipe = load_recipe(order.recipe, order.overrides, files=True)
    run(recipe, only=order.only, reuse_from=[Path(directory) for directory in order.reuse_from])


if __name__ == "__main__":
    main()
