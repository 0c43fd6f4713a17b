"""What a plan costs beside the import of the engine: python -m benchmarks.plan [RECIPE ...]

Processor seconds in a process of its own for each recipe; prints the plan's over the import's.
"""

from __future__ import annotations

import json
import subprocess
import sys

_ONE = """
import json, sys, time
from prism.megatron.backend import install
install()
from prism.plan.stages import plan
from prism.recipe import load_recipe
imported = time.process_time()
plan(load_recipe(sys.argv[1]))
print(json.dumps([imported, time.process_time() - imported]))
"""
_RECIPES = ("miniature", "llama_3_1_8b/math", "nemotron_h_8b/math", "granite_3_3_8b/long_context")


def main(recipes: list[str]) -> None:
    print(f"{'recipe':34} {'import s':>9} {'plan s':>9} {'ratio':>7}")
    for recipe in recipes:
        done = subprocess.run([sys.executable, "-c", _ONE, recipe], capture_output=True, text=True, check=True)
        imported, planned = json.loads(done.stdout.splitlines()[-1])
        print(f"{recipe:34} {imported:9.2f} {planned:9.2f} {planned / imported:7.2f}")


if __name__ == "__main__":
    main([name for name in sys.argv[1:] if not name.startswith("-")] or list(_RECIPES))
