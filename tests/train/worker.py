"""Runs one stage in this process: worker.py RECIPE STAGE [KEY=VALUE ...]. Started by the tests beside it."""

import logging
import sys

from prism.recipe import load_recipe


def main() -> None:
    name, stage, *overrides = sys.argv[1:]
    recipe = load_recipe(name, overrides)
    logging.basicConfig(level=logging.INFO)
    if recipe.pipeline[stage].stage == "import":
        from prism.train import run_import

        run_import(recipe, stage)
    elif recipe.pipeline[stage].stage == "rl":
        from prism.rl.stage import run_rl

        run_rl(recipe, stage)
    else:
        from prism.train.stage import run_training

        run_training(recipe, stage)


if __name__ == "__main__":
    main()
