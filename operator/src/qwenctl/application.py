"""The commands, put together."""

from typing import Annotated

import typer

from qwen_operator import __version__
from qwenctl import compatibility, explaining, fitting, linting, rendering, starting
from qwenctl.online import benching, bundling, diffing, logs, ranking, showing, talking
from qwenctl.output import write

app = typer.Typer(
    name="qwenctl",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:  # noqa: FBT001 - typer hands the option's value
    if asked:
        write(f"qwenctl {__version__}\n")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Check, render, explain and watch QwenDeployments with the operator's own code."""


# What the list of commands says of each: a line of 80 columns, which typer would cut short.
app.command("init", short_help="Write a commented resource, made to fit a GPU")(starting.init)
app.command("lint", short_help="Check files as API server and operator would, offline")(
    linting.lint
)
app.command("render", short_help="Write what the operator would apply, or for Docker")(
    rendering.render
)
app.command("fit", short_help="Will it fit a GPU? How long, how many; what would")(fitting.fit)
app.command("explain", short_help="What a field, a reason or an alert means, what to do")(
    explaining.explain
)
app.command("compat", short_help="Images, vLLM, drivers, engine arguments, model families")(
    compatibility.compat
)
app.command("diff", short_help="What applying a file would change; which pods restart")(
    diffing.diff
)
app.command("status", short_help="One model on one screen, and what to do")(showing.status)
app.command("events", short_help="Events of a model, its objects and its pods")(showing.events)
app.command("logs", short_help="What the pods of a model wrote")(logs.logs)
app.command("top", short_help="All models with their load, the busiest first")(ranking.top)
app.command("chat", short_help="Talk to a served model")(talking.chat)
app.command("bench", short_help="Measure how fast a served model answers; compare runs")(
    benching.bench
)
app.command("bundle", short_help="Pack what a bug report needs, without secrets")(bundling.bundle)
