"""Which API server and namespace: what a kubeconfig, its context or a service account says."""

import importlib
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import urllib3
import yaml

from qwenctl.errors import NoCluster

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


@cache
def kubernetes() -> Any:  # noqa: ANN401 - the client publishes no types
    """The official client, imported where a cluster is asked: it takes half a second."""
    return importlib.import_module("kubernetes")


@dataclass(frozen=True, slots=True)
class Target:
    """Which cluster and namespace: as kubectl's options of the same names.

    Attributes:
        kubeconfig: a file; KUBECONFIG or ~/.kube/config when None.
        context: of that file; its current one when None.
        namespace: the context's when None.
    """

    kubeconfig: Path | None = None
    context: str | None = None
    namespace: str | None = None


def _file(target: Target) -> str:
    if target.kubeconfig is not None:
        return str(target.kubeconfig)
    return os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")


def _contexts(file: str) -> tuple[dict[str, str | None], str]:
    """A kubeconfig's contexts with their namespaces, and the name of the current one.

    Raises:
        NoCluster: there is no such file, or it is none.
    """
    paths = [Path(each) for each in file.split(os.pathsep)]
    if not any(each.is_file() for each in paths):
        what = "is no file" if any(each.exists() for each in paths) else "does not exist"
        raise NoCluster(f"no kubeconfig: {file} {what}; name one with --kubeconfig or KUBECONFIG")
    config = kubernetes().config
    try:
        found, current = config.list_kube_config_contexts(config_file=file)
    except config.ConfigException as problem:
        raise NoCluster(f"kubeconfig {file}: {problem}") from problem
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, AttributeError) as problem:
        words = " ".join(str(problem).split())[:200]
        raise NoCluster(f"kubeconfig {file} is not one: {words}") from problem
    spaces = {each["name"]: (each["context"] or {}).get("namespace") for each in found}
    return spaces, current["name"]


def api_of(target: Target) -> tuple[Any, str]:
    """The client, and the namespace to work in."""
    client, config = kubernetes().client, kubernetes().config
    file = _file(target)
    if not Path(file).exists() and target.kubeconfig is None and _ACCOUNT.exists():
        made = client.Configuration()
        config.load_incluster_config(client_configuration=made)
        inside = _ACCOUNT.with_name("namespace").read_text(encoding="utf-8").strip()
        return client.ApiClient(made), target.namespace or inside
    spaces, current = _contexts(file)
    chosen = target.context or current
    if chosen not in spaces:
        raise NoCluster(
            f"kubeconfig {file} has no context {chosen!r}; it has {', '.join(spaces) or 'none'}"
        )
    settings = client.Configuration()
    try:
        config.load_kube_config(file, chosen, settings, persist_config=False)
    except (config.ConfigException, OSError) as problem:
        raise NoCluster(f"kubeconfig {file}, context {chosen}: {problem}") from problem
    # One try: a person waits, and may call again.
    settings.retries = False
    if not settings.verify_ssl:
        # insecure-skip-tls-verify stands in the kubeconfig: kubectl does not repeat it each time.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return client.ApiClient(settings), target.namespace or spaces[chosen] or "default"


def contexts_of(target: Target) -> list[str]:
    """Names of a kubeconfig's contexts.

    Raises:
        NoCluster: it cannot be read.
    """
    return list(_contexts(_file(target))[0])
