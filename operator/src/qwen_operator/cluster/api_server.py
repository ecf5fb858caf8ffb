"""The Kubernetes API over HTTP: plain JSON in and out, the client's own overhead left out."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from qwen_operator.cluster.connection import Access, find_access
from qwen_operator.cluster.protocol import BY_KIND, Json, Kind, Page
from qwen_operator.errors import Gone, OperatorError, Refused, Unreachable
from qwen_operator.naming import FIELD_MANAGER

_PAGE = 50
_TIMEOUT = aiohttp.ClientTimeout(total=30)
_CONNECTIONS = 32
_WATCH_SECONDS = 290
# A watch that says nothing for longer than the server lets it last is dead.
_WATCH_TIMEOUT = aiohttp.ClientTimeout(total=_WATCH_SECONDS + 30, sock_connect=10)
_GATHER_SECONDS = 0.2
"""What watches tell within it is looked at together: events come by the dozen, and to be woken for
each costs more than the event. Only children are watched here, and their news can wait."""
_MANY_BYTES = 65_536
"""So much at once is a storm, of which more will be there by the time that this is looked at."""
_BROKEN = (aiohttp.ClientError, TimeoutError, OSError, ValueError, LookupError)
_RETRIED = {408, 429, 500, 502, 503, 504}
_UNAUTHORIZED, _NOT_FOUND, _CONFLICT, _GONE = 401, 404, 409, 410
_PATIENCE = 4
_LONGEST_PAUSE = 10.0
"""Seconds that a request may be told to wait, so many times, before the whole pass waits."""

_NO_VERSION = "1"
"""No object is of this version: etcd counts from there before anything is written. What exists is
refused with it as a conflict, before anything is done; what does not exist is created."""
_APPLY = {"fieldManager": FIELD_MANAGER, "force": "true"}
_PATCHES = {
    "apply": "application/apply-patch+yaml",
    "merge": "application/merge-patch+json",
}


@dataclass(frozen=True, slots=True)
class _Answer:
    """HTTP status, headers and body of one answer."""

    code: int
    headers: Mapping[str, str]
    body: bytes


def _words(answer: _Answer) -> str:
    """The API server's own message."""
    try:
        return str(orjson.loads(answer.body)["message"])
    except (ValueError, LookupError, TypeError):
        return answer.body.decode("utf-8", "replace")[:1000].strip()


def _converted(answer: _Answer, attempt: str) -> OperatorError:
    words = f"{attempt}: the API server answered {answer.code}: {_words(answer)}"
    if answer.code in _RETRIED or answer.code == _UNAUTHORIZED:
        after = answer.headers.get("Retry-After")
        return Unreachable(words, float(after) if after and after.isdigit() else None)
    if answer.code in {_NOT_FOUND, _CONFLICT, _GONE}:
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


@dataclass(frozen=True, slots=True)
class _Sessions:
    """Watches hold connections for long: they must not use up those of requests."""

    asking: aiohttp.ClientSession
    watching: aiohttp.ClientSession


def _is_success(code: int) -> bool:
    return 200 <= code < 300  # noqa: PLR2004 - HTTP's success


def _path(kind: Kind, namespace: str | None, name: str = "") -> str:
    root = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
    within = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}{within}/{kind.plural}{'/' if name else ''}{name}"


class ApiServer:
    """A real API server, as `protocol.Cluster`."""

    def __init__(self, access: Access, sessions: _Sessions, hooks: Hooks) -> None:
        self._access, self._sessions, self._hooks = access, sessions, hooks

    async def _send(self, method: str, path: str, **options: Any) -> _Answer:  # noqa: ANN401 - aiohttp's
        headers = {**await self._access.headers(), **options.pop("headers", {})}
        async with self._sessions.asking.request(
            method,
            self._access.server + path,
            headers=headers,
            timeout=_TIMEOUT,
            allow_redirects=False,
            **options,
        ) as response:
            return _Answer(response.status, response.headers, await response.read())

    async def _request(self, attempt: str, method: str, path: str, **options: object) -> Json:
        """One request, again after as long as the server asks for, if that is not long."""
        for _ in range(_PATIENCE):
            try:
                return await self._ask_once(attempt, method, path, **options)
            except Unreachable as problem:
                if problem.retry_after is None or problem.retry_after > _LONGEST_PAUSE:
                    raise
                # Not all that were sent away come back at once.
                await asyncio.sleep(problem.retry_after * random.uniform(1, 1.5))  # noqa: S311 - jitter
        return await self._ask_once(attempt, method, path, **options)

    async def _ask_once(self, attempt: str, method: str, path: str, **options: object) -> Json:
        if method != "GET" and not self._hooks.may_write():
            raise Unreachable(f"{attempt}: not sent, since this operator does not lead any more")
        verb, kind = attempt.split(" ", 2)[:2]
        code = 0
        try:
            answer = await self._send(method, path, **options)
            code = answer.code
            if not _is_success(code):
                raise _converted(answer, attempt)
            found: Json = orjson.loads(answer.body)
        except _BROKEN as problem:
            words = f"{attempt}: no answer from the API server: {problem or type(problem).__name__}"
            raise Unreachable(words) from problem
        finally:
            self._hooks.answered(verb, kind, code)
        return found

    async def _write(self, attempt: str, method: str, path: str, body: Json, kind: str) -> Json:
        data = orjson.dumps(body)
        params = _APPLY if kind == _PATCHES["apply"] else {"fieldManager": FIELD_MANAGER}
        headers = {"Content-Type": kind}
        return await self._request(attempt, method, path, data=data, params=params, headers=headers)

    async def _patch(self, how: str, manifest: Json, body: Json, subresource: str = "") -> Json:
        kind, metadata = BY_KIND[manifest["kind"]], manifest["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        attempt = f"apply {kind.kind} {namespace}/{name}{subresource}"
        path = _path(kind, namespace, name) + subresource
        return await self._write(attempt, "PATCH", path, body, _PATCHES[how])

    async def apply(self, manifest: Json, *, new: bool = False) -> Json:
        """See `protocol.Cluster`."""
        if new:
            metadata = {**manifest["metadata"], "resourceVersion": _NO_VERSION}
            return await self._patch("apply", manifest, {**manifest, "metadata": metadata})
        return await self._patch("apply", manifest, manifest)

    async def apply_status(self, manifest: Json) -> Json:
        """See `protocol.Cluster`."""
        return await self._patch("apply", manifest, manifest, "/status")

    async def merge(self, manifest: Json, change: Json) -> Json:
        """See `protocol.Cluster`."""
        return await self._patch("merge", manifest, change)

    async def create(self, manifest: Json) -> Json:
        """See `protocol.Cluster`."""
        kind, namespace = BY_KIND[manifest["kind"]], manifest["metadata"]["namespace"]
        attempt = f"create {kind.kind} in {namespace}"
        return await self._write(
            attempt, "POST", _path(kind, namespace), manifest, "application/json"
        )

    async def replace(self, manifest: Json) -> Json:
        """See `protocol.Cluster`."""
        kind, metadata = BY_KIND[manifest["kind"]], manifest["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        attempt = f"replace {kind.kind} {namespace}/{name}"
        path = _path(kind, namespace, name)
        return await self._write(attempt, "PUT", path, manifest, "application/json")

    async def delete(self, kind: Kind, manifest: Json) -> None:
        """See `protocol.Cluster`."""
        namespace, name = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": manifest["metadata"]["uid"]},
        }
        attempt = f"delete {kind.kind} {namespace}/{name}"
        path = _path(kind, namespace, name)
        await self._write(attempt, "DELETE", path, options, "application/json")

    async def get(self, kind: Kind, namespace: str, name: str) -> Json:
        """See `protocol.Cluster`."""
        path = _path(kind, namespace, name)
        return await self._request(f"get {kind.kind} {namespace}/{name}", "GET", path)

    async def pages(
        self, kind: Kind, namespace: str | None, selector: str = "", fields: str = ""
    ) -> AsyncIterator[Page]:
        """See `protocol.Cluster`."""
        attempt = f"list {kind.kind} in {namespace or 'all namespaces'}"
        asked = {"labelSelector": selector, "fieldSelector": fields, "limit": str(_PAGE)}
        params = {key: value for key, value in asked.items() if value}
        # Items of a list come without their type.
        typed = {"apiVersion": kind.api_version, "kind": kind.kind}
        while True:
            found = await self._request(attempt, "GET", _path(kind, namespace), params=params)
            metadata = found.get("metadata", {})
            items = [{**typed, **item} for item in found.get("items") or ()]
            yield Page(items, str(metadata.get("resourceVersion", "")))
            if not metadata.get("continue"):
                return
            params["continue"] = metadata["continue"]

    async def watch(
        self, kind: Kind, namespace: str | None, selector: str, version: str
    ) -> AsyncIterator[Json]:
        """See `protocol.Cluster`."""
        attempt = f"watch {kind.kind} in {namespace or 'all namespaces'}"
        asked = {"watch": "true", "allowWatchBookmarks": "true", "labelSelector": selector}
        asked |= {"resourceVersion": version, "timeoutSeconds": str(_WATCH_SECONDS)}
        try:
            async with self._sessions.watching.get(
                self._access.server + _path(kind, namespace),
                headers=await self._access.headers(),
                params={key: value for key, value in asked.items() if value},
                timeout=_WATCH_TIMEOUT,
                allow_redirects=False,
            ) as response:
                if not _is_success(response.status):
                    body = await response.read()
                    answer = _Answer(response.status, response.headers, body)
                    raise _converted(answer, attempt)
                async for line in _lines(response.content):
                    event = orjson.loads(line)
                    if event["type"] == "ERROR":
                        status = event["object"]
                        code = int(status.get("code") or 0)
                        raise _converted(_Answer(code, {}, orjson.dumps(status)), attempt)
                    yield event
        except _BROKEN as problem:
            words = f"{attempt}: broken off: {problem or type(problem).__name__}"
            raise Unreachable(words) from problem


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """The lines of a stream, however long, those that come in quick succession together."""
    begun: list[bytes] = []
    loop = asyncio.get_running_loop()
    async for data in content.iter_any():
        first, *others = data.split(b"\n")
        begun.append(first)
        for following in others:
            yield b"".join(begun)
            begun = [following]
        if len(data) < _MANY_BYTES:
            # All watches go on at the same moments: see _GATHER_SECONDS.
            await asyncio.sleep(_GATHER_SECONDS - loop.time() % _GATHER_SECONDS)


@contextlib.asynccontextmanager
async def connect(
    environment: Mapping[str, str], hooks: Hooks = _NO_HOOKS
) -> AsyncIterator[ApiServer]:
    """Connect as the pod's service account, or else as the kubeconfig says.

    Raises:
        Unreachable: neither is there, with the reason.
    """
    access = await find_access(environment)
    async with access.session(_CONNECTIONS) as asking, access.session(0) as watching:
        yield ApiServer(access, _Sessions(asking, watching), hooks)
