"""`prism rl reward-server`: the recipe's rewards over HTTP."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prism.commands.options import Overrides, RecipeName
from prism.errors import BadInput, UsageError

if TYPE_CHECKING:
    import uvicorn

    from prism.recipe import Recipe

_COMMAND = "prism rl reward-server"
_SHUTDOWN_S = 120


def reward_server(
    recipe: RecipeName,
    overrides: Overrides = None,
    host: Annotated[str, typer.Option(help="Address to listen at. There is no login: keep it private.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0 takes a free one.")] = 8_077,
    body_megabytes: Annotated[int, typer.Option(min=1, help="Largest request, in MB.")] = 64,
    items: Annotated[int, typer.Option(min=1, help="Most responses in a request.")] = 4_096,
    waiting: Annotated[int, typer.Option(min=1, help="Most requests at a time; more get 503.")] = 64,
) -> None:
    """Serve the recipe's rewards over HTTP: POST /score, GET /health, GET /metrics.

    SIGTERM and Ctrl-C end it when the requests that it has are answered.

    Example: `prism rl reward-server miniature --port 8077`
    """
    from prism.recipe import load_recipe
    from prism.score.sandbox import configure

    try:
        import uvicorn

        from prism.score.server import Limits, reward_app
    except ImportError:
        raise UsageError(
            "the server's packages aren't installed", place=_COMMAND, remedy="pip install 'prism-megatron[serve]'"
        ) from None

    loaded = load_recipe(recipe, overrides or [])
    configure(loaded.sandbox.tier, loaded.sandbox.allow_unsandboxed)
    prompts = _prompts(loaded)
    limits = Limits(body_bytes=body_megabytes << 20, items=items, waiting=waiting)
    app = reward_app(loaded.rl.rewards, prompts, limits)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            log_level="warning",
            access_log=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=_SHUTDOWN_S,
        )
    )
    typer.echo(f"{len(prompts)} prompts; rewards: {', '.join(_weights(loaded))}")
    _serve(server)
    typer.echo("stopped")


def _serve(server: uvicorn.Server) -> None:
    """Says the address when connections are accepted, and ends when a signal came and all requests are answered."""

    def stop(*_: object) -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        # Until the server has handlers of its own, and after: it raises the signal again when it is done.
        signal.signal(number, stop)
    config = server.config
    try:
        socket = config.bind_socket()
    except SystemExit:
        raise UsageError(
            f"can't listen at {config.host}:{config.port}", place=_COMMAND, remedy="choose another --port"
        ) from None
    socket.listen(config.backlog)
    typer.echo(f"listening at http://{config.host}:{socket.getsockname()[1]}")
    server.run(sockets=[socket])


def _prompts(recipe: Recipe) -> Mapping[str, Mapping[str, Any]]:
    """Rows of the recipe's prompt sets by id. A set that isn't there yet is left out, and said."""
    from prism.rl.prompts import load_prompt_set

    rows: dict[str, Mapping[str, Any]] = {}
    for domain, config in recipe.rl.prompts.items():
        try:
            prompts = load_prompt_set(recipe, domain, config)
        except BadInput as error:
            typer.echo(f"prompts of {domain} can't be named by id: {error}", err=True)
            continue
        for prompt in prompts:
            if "id" in prompt.row and rows.setdefault(str(prompt.row["id"]), prompt.row) is not prompt.row:
                raise BadInput(
                    f"two prompts have the id {prompt.row['id']!r}",
                    place=f"rl.prompts.{domain}",
                    remedy="give each prompt an id of its own",
                )
    return rows


def _weights(recipe: Recipe) -> list[str]:
    terms = recipe.rl.rewards
    weights = {name: getattr(terms, name).weight for name in type(terms).model_fields}
    return [f"{name} {weight:+g}" for name, weight in weights.items() if weight]
