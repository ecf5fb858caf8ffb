"""Where the API server is and who we are there: the pod's service account, or else a kubeconfig.

The kubernetes package reads both. Requests go over sessions of our own with what it has found out:
its generated client builds an object for every field of every answer.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject
from kubernetes.aio.config import ConfigException, load_kube_config
from kubernetes.aio.config.incluster_config import InClusterConfigLoader

from qwen_operator import __version__
from qwen_operator.errors import Unreachable
from qwen_operator.naming import FIELD_MANAGER

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_HELP = "set KUBECONFIG, or run inside a pod"
_BEARER = "BearerToken"
_UNUSABLE = (
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
    yaml.YAMLError,
    ConfigException,
)


@dataclass(frozen=True, slots=True)
class Access:
    """A way to an API server, as the kubernetes package has found it."""

    configuration: Any

    @property
    def server(self) -> str:
        """Its URL, without a slash at the end."""
        return str(self.configuration.host).rstrip("/")

    async def headers(self) -> dict[str, str]:
        """What every request carries besides its own; a rotated token is read within a minute."""
        # A token that cannot be read just now: what was known is better than nothing.
        with suppress(OSError, ConfigException):
            await self.configuration.get_api_key_with_prefix(_BEARER)
        token = self.configuration.api_key.get(_BEARER)
        # The package writes the scheme in small letters for a service account.
        scheme, _, text = (token or "").strip().partition(" ")
        return {"Authorization": f"{scheme.capitalize()} {text}"} if text else {}

    def session(self, connections: int) -> aiohttp.ClientSession:
        """A session of so many connections (0: any) that trusts no proxy of the environment.

        Raises:
            Unreachable: the certificates cannot be used.
        """
        try:
            tls = RESTClientObject(self.configuration).ssl_context
        except OSError as problem:
            raise Unreachable(f"no way to the cluster: {problem}; {_HELP}") from problem
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, ssl=tls),
            headers={
                "User-Agent": f"{FIELD_MANAGER}/{__version__}",
                "Accept": "application/json",
                "Accept-Encoding": "identity",
            },
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )


async def find_access(environment: Mapping[str, str], account: Path = SERVICE_ACCOUNT) -> Access:
    """How to reach the API server, from inside a pod or by KUBECONFIG (~/.kube/config).

    Args:
        environment: of the process.
        account: where a pod's service account is mounted.

    Raises:
        Unreachable: neither is there, or it cannot be used; the text says what was tried.
    """
    found = Configuration()
    try:
        if "KUBERNETES_SERVICE_HOST" in environment:
            what = f"the service account in {account}"
            # `environ` is only read from.
            InClusterConfigLoader(
                token_filename=str(account / "token"),
                cert_filename=str(account / "ca.crt"),
                environ=environment,
            ).load_and_set(found)
        else:
            home = Path(environment.get("HOME", "/")) / ".kube" / "config"
            source = Path(environment.get("KUBECONFIG") or home)
            what = f"the kubeconfig {source}"
            await load_kube_config(str(source), client_configuration=found, persist_config=False)
            is_nobody = not found.api_key and not found.cert_file
            if is_nobody and Access(found).server.startswith("https:"):
                # Among others a login by a command that is not here, which the package only logs.
                raise ConfigException("its user has neither a token nor a client certificate")
    except _UNUSABLE as problem:
        raise Unreachable(f"no way to the cluster by {what}: {problem}; {_HELP}") from problem
    return Access(found)
