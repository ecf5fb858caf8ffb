"""The API server that a kubeconfig names: reading, and nothing else but asking a model."""

import importlib
import json
import re
from collections.abc import Container, Generator, Mapping
from typing import Any

import urllib3

from qwen_operator import naming
from qwen_operator.errors import InvalidSpec, OperatorError
from qwenctl.errors import Missing, NoCluster
from qwenctl.online.kubeconfig import Target, api_of, kubernetes

Json = dict[str, Any]

_CONNECT_SECONDS = 5
_READ_SECONDS = 30
_ERRORS, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 400, 401, 403, 404
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


def _words(problem: Any) -> str:  # noqa: ANN401 - the client's
    try:
        return str(json.loads(problem.body or "{}").get("message") or problem.reason)
    except ValueError:
        return str(problem.reason)


class Cluster:
    """One API server.

    Attributes:
        namespace: to work in.
    """

    def __init__(self, target: Target) -> None:
        """Read the kubeconfig; nothing is sent yet.

        Raises:
            NoCluster: it cannot be read, or lacks what was named.
        """
        self._api, self.namespace = api_of(target)
        self._host = self._api.configuration.host

    def _problem(
        self,
        problem: Any,  # noqa: ANN401 - the client's
        attempt: str,
    ) -> NoCluster | Missing:
        words = f"{attempt}: {self._host} answered {problem.status}: {_words(problem)}"
        if problem.status == _UNAUTHORIZED:
            return NoCluster(f"{words}; log in again, or choose another context with --context")
        if problem.status == _FORBIDDEN:
            return NoCluster(f"{words}; ask whoever runs the cluster for that permission")
        return Missing(words) if problem.status == _NOT_FOUND else NoCluster(words)

    def _send(
        self,
        attempt: str,
        method: str,
        path: str,
        **given: Any,  # noqa: ANN401 - of the client
    ) -> urllib3.HTTPResponse:
        """Send one request.

        Raises:
            Missing: the server says that there is no such thing.
            NoCluster: it gave no answer, or refused.
        """
        seconds, wanted = given.pop("seconds", _READ_SECONDS), given.pop("wanted", ())
        headers = {"Accept": "application/json, */*", **given.pop("headers", {})}
        sent = self._api.param_serialize(
            method,
            path,
            query_params=list((given.pop("query", None) or {}).items()),
            header_params=headers,
            auth_settings=["BearerToken"],
            **given,
        )
        refused = kubernetes().client.ApiException
        try:
            answer = self._api.call_api(*sent, _request_timeout=(_CONNECT_SECONDS, seconds))
            found: urllib3.HTTPResponse = answer.response
            if found.status >= _ERRORS and found.status not in wanted:
                body = found.read().decode("utf-8", "replace")
                raise refused(status=found.status, reason=found.reason, body=body)
        except refused as problem:
            raise self._problem(problem, attempt) from problem
        except (urllib3.exceptions.HTTPError, OSError) as problem:
            words = f"{attempt}: no answer from {self._host}: {_short(problem)}"
            raise NoCluster(words) from problem
        return found

    def websocket(self, attempt: str, path: str, query: Mapping[str, str]) -> Any:  # noqa: ANN401 - websocket-client's
        """Open a WebSocket.

        Raises:
            Missing: the server says that there is no such thing.
            NoCluster: it gave no answer, or refused.
        """
        made = self._api.param_serialize(
            "GET", path, query_params=list(query.items()), auth_settings=["BearerToken"]
        )
        headers = {key.lower(): value for key, value in made[2].items()}
        clients = importlib.import_module("kubernetes.stream.ws_client")
        sockets = importlib.import_module("websocket")
        address = clients.get_websocket_url(made[1])
        try:
            return clients.create_websocket(self._api.configuration, address, headers)
        except sockets.WebSocketBadStatusException as problem:
            body = (problem.resp_body or b"").decode("utf-8", "replace")
            refused = kubernetes().client.ApiException
            words = refused(status=problem.status_code, reason=str(problem)[:200], body=body)
            raise self._problem(words, attempt) from problem
        except (sockets.WebSocketException, OSError) as problem:
            words = f"{attempt}: no answer from {self._host}: {_short(problem)}"
            raise NoCluster(words) from problem

    def get(self, attempt: str, path: str, query: Mapping[str, str] | None = None) -> Json:
        """Read an object or a list."""
        answer = self._send(attempt, "GET", path, query=query)
        try:
            found: Json = json.loads(answer.read())
        except (ValueError, urllib3.exceptions.HTTPError) as problem:
            words = f"{attempt}: {self._host} answered with something that is no Kubernetes object"
            raise NoCluster(f"{words}; is it an API server?") from problem
        return found

    def text(
        self,
        attempt: str,
        path: str,
        query: Mapping[str, str] | None = None,
        wanted: Container[int] = (),
    ) -> str:
        """Read a text, such as a log; with a status that would be an error, if it is wanted."""
        answer = self._send(attempt, "GET", path, query=query, wanted=wanted)
        return answer.read().decode("utf-8", "replace")

    def lines(
        self,
        attempt: str,
        request: tuple[str, str, Json | None],
        query: Mapping[str, str] | None = None,
    ) -> Generator[str]:
        """Lines of an answer as they come.

        Args:
            attempt: for an error's text.
            request: method, path and body.
            query: of the URL.
        """
        method, path, body = request
        given: dict[str, Any] = {"query": query, "seconds": 3600}
        if body is not None:
            given |= {"body": body, "headers": {"Content-Type": "application/json"}}
        answer = self._send(attempt, method, path, **given)
        rest = b""
        try:
            for part in answer.stream(4096, decode_content=True):
                *whole, rest = (rest + part).split(b"\n")
                yield from (each.decode("utf-8", "replace") for each in whole)
        except (urllib3.exceptions.HTTPError, OSError) as problem:
            raise NoCluster(f"{attempt}: the answer broke off: {_short(problem)}") from problem
        finally:
            answer.close()
        if rest:
            yield rest.decode("utf-8", "replace")

    def resources(self, namespace: str | None) -> list[Json]:
        """Every QwenDeployment of a namespace, or of all.

        Raises:
            NoCluster: no permission, or the cluster does not know the kind.
        """
        where = "all namespaces" if namespace is None else f"namespace {namespace}"
        try:
            answer = self.get(f"list {naming.PLURAL} in {where}", resource_path(namespace))
        except Missing as problem:
            raise NoCluster(self._unknown_kind()) from problem
        found: list[Json] = answer.get("items") or []
        return found

    def _unknown_kind(self) -> str:
        """Why the API server does not know our kind, in the version that is known here."""
        try:
            group = self.get(f"read group {naming.GROUP}", f"/apis/{naming.GROUP}")
        except OperatorError:
            return (
                f"{self._host} knows no {naming.KIND}: the operator's chart is not installed there"
                " (helm install qwen-operator charts/qwen-operator)"
            )
        served = ", ".join(str(each.get("version")) for each in group.get("versions") or ())
        return (
            f"{self._host} serves {naming.GROUP} in version {served or 'none'}, and this program"
            f" knows {naming.VERSION}: use the qwenctl of the operator's release"
        )

    def resource(self, name: str) -> Json:
        """One QwenDeployment.

        Raises:
            Missing: there is none of that name; names those that are there.
            InvalidSpec: it cannot be a name.
        """
        if not _NAME.fullmatch(name) or not _NAME.fullmatch(self.namespace):
            raise InvalidSpec(
                f"{self.namespace}/{name}: a name holds lower-case letters, digits, '-' and '.'"
            )
        path = resource_path(self.namespace, name)
        try:
            return self.get(f"get {naming.SINGULAR} {self.namespace}/{name}", path)
        except Missing as problem:
            names = [each["metadata"]["name"] for each in self.resources(self.namespace)]
            there = f"there are {', '.join(names)}" if names else "there is none in that namespace"
            raise Missing(
                f"no {naming.KIND} {name} in namespace {self.namespace}; {there}"
            ) from problem


def resource_path(namespace: str | None, name: str | None = None) -> str:
    """Path of our kind: all, of a namespace, or one."""
    root = f"/apis/{naming.GROUP}/{naming.VERSION}"
    inside = "" if namespace is None else f"/namespaces/{namespace}"
    return f"{root}{inside}/{naming.PLURAL}" + ("" if name is None else f"/{name}")


def _short(problem: Exception) -> str:
    """The innermost reason of a chain of urllib3's, without its objects' addresses."""
    reason = getattr(problem, "reason", None)
    while isinstance(reason, Exception) and getattr(reason, "reason", None) not in {None, reason}:
        reason = getattr(reason, "reason", None)
    text = str(reason or problem) or type(problem).__name__
    return text.rsplit(">: ", 1)[-1].rsplit("): ", 1)[-1][:200]
