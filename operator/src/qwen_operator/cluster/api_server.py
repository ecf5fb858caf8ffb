"""The Kubernetes API through the official client's asyncio side."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from kubernetes.aio import client, config
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.dynamic import DynamicClient, Resource

from qwen_operator.cluster.protocol import BY_KIND, Json, Kind
from qwen_operator.errors import Gone, OperatorError, Refused, Unreachable
from qwen_operator.naming import FIELD_MANAGER

_PAGE = 500
_TIMEOUT_SECONDS = 30
_CONNECTIONS = 64
_APPLY: Json = {"content_type": "application/apply-patch+yaml", "force_conflicts": True}
_RETRIED = {408, 429, 500, 502, 503, 504}
_UNAUTHORIZED, _NOT_FOUND, _CONFLICT, _GONE = 401, 404, 409, 410


def _words(problem: ApiException) -> str:
    """The API server's own message, without the client's headers and tracebacks."""
    try:
        return str(problem.summary())
    except (AttributeError, ValueError):
        return str(problem.body or problem.reason)


def _converted(problem: ApiException, attempt: str) -> OperatorError:
    words = f"{attempt}: the API server answered {problem.status}: {_words(problem)}"
    if problem.status in _RETRIED or problem.status == _UNAUTHORIZED or not problem.status:
        after = (problem.headers or {}).get("Retry-After")
        return Unreachable(words, float(after) if after and after.isdigit() else None)
    if problem.status in {_NOT_FOUND, _CONFLICT, _GONE}:
        return Gone(words)
    return Refused(words)


@dataclass(frozen=True, slots=True)
class Hooks:
    """What is asked and told around every request.

    Attributes:
        may_write: asked before everything but reading.
        answered: told of verb, kind and HTTP status, 0 for no answer.
    """

    may_write: Callable[[], bool] = lambda: True
    answered: Callable[[str, str, int], None] = lambda _verb, _kind, _code: None


_NO_HOOKS = Hooks()


class ApiServer:
    """A real API server, as `protocol.Cluster`."""

    def __init__(self, api: client.ApiClient, hooks: Hooks) -> None:
        self._hooks = hooks
        # Never awaited, hence no discovery: the kinds that we use are known.
        self._dynamic = DynamicClient(api)

    def _resource(self, kind: Kind) -> Resource:
        return Resource(
            prefix="apis" if kind.group else "api",
            group=kind.group,
            api_version=kind.version,
            kind=kind.kind,
            namespaced=True,
            name=kind.plural,
            client=self._dynamic,
        )

    async def _call(self, attempt: str, request: Awaitable[Any]) -> Json:
        verb, kind = attempt.split(" ", 2)[:2]
        code = 0
        try:
            response = await request
            code = response.status
            if not 200 <= response.status < 300:  # noqa: PLR2004 - HTTP's success
                raise ApiException(http_resp=response)
            return await response.json()  # type: ignore[no-any-return]
        except ApiException as problem:
            code = int(problem.status or 0)
            raise _converted(problem, attempt) from problem
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            words = f"{attempt}: no answer from the API server: {problem or type(problem).__name__}"
            raise Unreachable(words) from problem
        finally:
            self._hooks.answered(verb, kind, code)

    async def _request(self, attempt: str, method: str, path: str, **options: object) -> Json:
        if method != "get" and not self._hooks.may_write():
            raise Unreachable(f"{attempt}: not sent, since this operator does not lead any more")
        return await self._call(
            attempt,
            self._dynamic.request(
                method,
                path,
                # The client's defaults for these two are shared, mutable and grow.
                query_params=[],
                header_params={},
                serialize=False,
                _request_timeout=_TIMEOUT_SECONDS,
                **options,
            ),
        )

    async def _patch(self, manifest: Json, subresource: str, **how: object) -> Json:
        kind = BY_KIND[manifest["kind"]]
        metadata = manifest["metadata"]
        path = self._resource(kind).path(name=metadata["name"], namespace=metadata["namespace"])
        return await self._request(
            f"apply {kind.kind} {metadata['namespace']}/{metadata['name']}{subresource}",
            "patch",
            path + subresource,
            field_manager=FIELD_MANAGER,
            **how,
        )

    async def apply(self, manifest: Json) -> Json:
        """See `protocol.Cluster`."""
        return await self._patch(manifest, "", body=manifest, **_APPLY)

    async def apply_status(self, manifest: Json) -> Json:
        """See `protocol.Cluster`."""
        return await self._patch(manifest, "/status", body=manifest, **_APPLY)

    async def merge(self, manifest: Json, change: Json) -> Json:
        """See `protocol.Cluster`."""
        kind = "application/merge-patch+json"
        return await self._patch(manifest, "", body=change, content_type=kind)

    async def create(self, manifest: Json) -> Json:
        """See `protocol.Cluster`."""
        kind = BY_KIND[manifest["kind"]]
        namespace = manifest["metadata"]["namespace"]
        path = self._resource(kind).path(namespace=namespace)
        return await self._request(
            f"create {kind.kind} in {namespace}", "post", path, body=manifest
        )

    async def replace(self, manifest: Json) -> Json:
        """See `protocol.Cluster`."""
        kind = BY_KIND[manifest["kind"]]
        metadata = manifest["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        path = self._resource(kind).path(name=name, namespace=namespace)
        attempt = f"replace {kind.kind} {namespace}/{name}"
        return await self._request(attempt, "put", path, body=manifest)

    async def delete(self, kind: Kind, manifest: Json) -> None:
        """See `protocol.Cluster`."""
        metadata = manifest["metadata"]
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": metadata["uid"]},
        }
        where = f"{kind.kind} {metadata['namespace']}/{metadata['name']}"
        path = self._resource(kind).path(name=metadata["name"], namespace=metadata["namespace"])
        await self._request(f"delete {where}", "delete", path, body=options)

    async def get(self, kind: Kind, namespace: str, name: str) -> Json:
        """See `protocol.Cluster`."""
        path = self._resource(kind).path(name=name, namespace=namespace)
        return await self._request(f"get {kind.kind} {namespace}/{name}", "get", path)

    async def list(
        self, kind: Kind, namespace: str | None, selector: str = "", fields: str = ""
    ) -> list[Json]:
        """See `protocol.Cluster`; read in pages, so that no answer is unbounded."""
        attempt = f"list {kind.kind} in {namespace or 'all namespaces'}"
        path = self._resource(kind).path(namespace=namespace)
        # Items of a list come without their type.
        typed = {"apiVersion": kind.api_version, "kind": kind.kind}
        found: list[Json] = []
        token = None
        while True:
            page = await self._request(
                attempt,
                "get",
                path,
                label_selector=selector or None,
                field_selector=fields or None,
                limit=_PAGE,
                _continue=token,
            )
            found += [{**typed, **item} for item in page.get("items") or ()]
            token = page.get("metadata", {}).get("continue")
            if not token:
                return found


@contextlib.asynccontextmanager
async def connect(
    environment: Mapping[str, str], hooks: Hooks = _NO_HOOKS
) -> AsyncIterator[ApiServer]:
    """Connect as the pod's service account, or else as the kubeconfig says.

    Raises:
        Unreachable: neither is there, with the words of the client.
    """
    settings = client.Configuration()
    settings.connection_pool_maxsize = _CONNECTIONS
    # Else ~/.netrc and the proxies of the environment are looked up anew for every request.
    settings.client_session_kwargs = {"trust_env": False}
    try:
        if "KUBERNETES_SERVICE_HOST" in environment:
            # Reads the token anew every minute: bound tokens are rotated.
            config.load_incluster_config(client_configuration=settings)
        else:
            # Named here: the client reads KUBECONFIG once, when it is imported.
            file = environment.get("KUBECONFIG")
            await config.load_kube_config(config_file=file, client_configuration=settings)
    except config.ConfigException as problem:
        words = f"no way to the cluster: {problem}; set KUBECONFIG, or run inside a pod"
        raise Unreachable(words) from problem
    async with client.ApiClient(configuration=settings) as api:
        yield ApiServer(api, hooks)
