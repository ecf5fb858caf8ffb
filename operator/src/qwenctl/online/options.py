"""Options that every command with a cluster has, as kubectl spells them."""

from pathlib import Path
from typing import Annotated

import typer

from qwenctl.online.completing import context_names, resource_names

Kubeconfig = Annotated[
    Path | None, typer.Option(help="The kubeconfig; KUBECONFIG or ~/.kube/config when left out.")
]
Context = Annotated[
    str | None,
    typer.Option(help="The kubeconfig's context to use.", autocompletion=context_names),
]
Name = Annotated[str, typer.Argument(help="The QwenDeployment.", autocompletion=resource_names)]
Namespace = Annotated[
    str | None,
    typer.Option("--namespace", "-n", help="The namespace; the context's if left out."),
]
