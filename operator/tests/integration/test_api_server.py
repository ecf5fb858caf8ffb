"""The operator's own client on a real API server: preconditions, errors and their words."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from qwen_operator.cluster import api_server
from qwen_operator.cluster.api_server import ApiServer, connect
from qwen_operator.cluster.protocol import CONFIG_MAP, OWNED, POD, QWEN, SERVICE, Kind
from qwen_operator.errors import Gone, OperatorError, Refused, Unreachable
from tests.integration.api import CONFIG_MAPS, QWENS, Api, Json, resource
from tests.integration.process import free_port, redirected


@pytest.fixture
async def server(api: Api, kubeconfig: Path) -> AsyncIterator[ApiServer]:
    assert api
    async with connect({"KUBECONFIG": str(kubeconfig)}) as made:
        yield made
    # TLS says good-bye on the next turns of the loop.
    await asyncio.sleep(0.2)


def config_map(namespace: str, name: str, **data: str) -> Json:
    metadata = {"name": name, "namespace": namespace, "labels": {"of": "test"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


async def test_an_applied_object_is_read_listed_and_deleted(
    server: ApiServer, namespace: str
) -> None:
    made = await server.apply(config_map(namespace, "plain", a="1"))
    assert (await server.get(CONFIG_MAP, namespace, "plain"))["data"] == {"a": "1"}
    found = server.pages(CONFIG_MAP, namespace, "of=test", "metadata.name=plain")
    (listed,) = [each async for page in found for each in page.items]
    assert (listed["kind"], listed["apiVersion"]) == ("ConfigMap", "v1")
    assert listed["metadata"]["uid"] == made["metadata"]["uid"]
    await server.delete(CONFIG_MAP, made)
    with pytest.raises(Gone, match=f"get ConfigMap {namespace}/plain.*404"):
        await server.get(CONFIG_MAP, namespace, "plain")
    with pytest.raises(Gone):
        await server.delete(CONFIG_MAP, made)


async def test_a_second_apply_moves_no_version_and_a_removed_field_goes(
    server: ApiServer, namespace: str
) -> None:
    first = await server.apply(config_map(namespace, "twice", a="1", b="2"))
    second = await server.apply(config_map(namespace, "twice", a="1", b="2"))
    assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]
    assert (await server.apply(config_map(namespace, "twice", a="1")))["data"] == {"a": "1"}


async def test_an_object_that_is_not_the_one_seen_is_neither_deleted_nor_changed(
    server: ApiServer, api: Api, namespace: str
) -> None:
    made = await server.apply(config_map(namespace, "other", a="1"))
    stale = {**made, "metadata": {**made["metadata"], "uid": "of-its-predecessor"}}
    with pytest.raises(Gone):
        await server.delete(CONFIG_MAP, stale)
    with pytest.raises(Gone):
        await server.merge(made, {"metadata": {"resourceVersion": "1"}, "data": {"a": "2"}})
    assert api.one(CONFIG_MAPS, namespace, "other") == made


async def test_a_status_never_reaches_a_recreated_resource(
    server: ApiServer, api: Api, namespace: str
) -> None:
    body = api.create(QWENS, namespace, resource("status"))
    metadata = {"name": "status", "namespace": namespace, "uid": body["metadata"]["uid"]}
    manifest = {"apiVersion": QWEN.api_version, "kind": QWEN.kind, "status": {"replicas": 3}}
    with pytest.raises(Gone):
        await server.apply_status({**manifest, "metadata": {**metadata, "resourceVersion": "1"}})
    version = body["metadata"]["resourceVersion"]
    manifest["metadata"] = {**metadata, "resourceVersion": version}
    assert (await server.apply_status(manifest))["status"]["replicas"] == 3


async def test_a_refusal_has_the_servers_words(server: ApiServer, namespace: str) -> None:
    manifest = {
        "apiVersion": "v1",
        "kind": SERVICE.kind,
        "metadata": {"name": "bad", "namespace": namespace},
        "spec": {"ports": [{"port": 0}]},
    }
    with pytest.raises(Refused, match=r"apply Service .*/bad: .* 422: .*spec\.ports\[0\]\.port"):
        await server.apply(manifest)


async def test_a_namespace_that_is_not_there_is_gone(server: ApiServer) -> None:
    with pytest.raises(Gone, match="no-such-namespace"):
        await server.apply(config_map("no-such-namespace", "x"))


async def test_a_list_of_several_pages_is_whole(
    server: ApiServer, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_server, "_PAGE", 2)
    for number in range(5):
        body = config_map(namespace, f"page-{number}")
        await server.apply({**body, "metadata": {**body["metadata"], "labels": {"of": "pages"}}})
    pages = [page async for page in server.pages(CONFIG_MAP, namespace, "of=pages")]
    assert len({each["metadata"]["name"] for page in pages for each in page.items}) == 5
    assert len({page.version for page in pages}) == 1


async def test_a_watch_goes_on_from_a_list_and_from_its_own_events(
    server: ApiServer, namespace: str
) -> None:
    def labelled(name: str, **data: str) -> Json:
        body = config_map(namespace, name, **data)
        return {**body, "metadata": {**body["metadata"], "labels": {"of": "watch"}}}

    await server.apply(labelled("before"))
    (page,) = [page async for page in server.pages(CONFIG_MAP, namespace, "of=watch")]
    made = await server.apply(labelled("long", a="x" * 300_000))
    await server.apply(config_map(namespace, "of-others"))
    await server.delete(CONFIG_MAP, made)
    seen: list[tuple[str, str]] = []
    version = page.version
    while len(seen) < 2:
        events = server.watch(CONFIG_MAP, namespace, "of=watch", version)
        assert isinstance(events, AsyncGenerator)
        # Closed here and now: what is left to the garbage collector fails another test.
        async with aclosing(events):
            event = await anext(events)
        version = event["object"]["metadata"]["resourceVersion"]
        seen.append((event["type"], event["object"]["metadata"]["name"]))
    assert seen == [("ADDED", "long"), ("DELETED", "long")]


async def test_a_watch_from_a_version_that_never_was_is_an_error(
    server: ApiServer, namespace: str
) -> None:
    with pytest.raises(OperatorError, match="watch ConfigMap"):
        await anext(aiter(server.watch(CONFIG_MAP, namespace, "", "no-number")))


async def test_a_server_that_is_not_there_is_unreachable(kubeconfig: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "kubeconfig"
    redirected(kubeconfig, elsewhere, f"https://127.0.0.1:{free_port()}")
    async with connect({"KUBECONFIG": str(elsewhere)}) as made:
        with pytest.raises(Unreachable, match="list Pod in all namespaces: no answer"):
            await anext(aiter(made.pages(POD, None)))
        with pytest.raises(Unreachable, match="watch Pod in all namespaces: broken off"):
            await anext(aiter(made.watch(POD, None, "", "1")))


FOREIGN: dict[str, Json] = {
    "ConfigMap": {"apiVersion": "v1", "data": {"theirs": "1"}},
    "Service": {"apiVersion": "v1", "spec": {"ports": [{"name": "theirs", "port": 1234}]}},
    "Deployment": {
        "apiVersion": "apps/v1",
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "c", "image": "localhost/none"}]},
            },
        },
    },
    "HorizontalPodAutoscaler": {
        "apiVersion": "autoscaling/v2",
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"},
            "maxReplicas": 3,
        },
    },
}


@pytest.mark.parametrize("kind", OWNED, ids=lambda kind: kind.kind)
async def test_what_must_be_new_is_made_once_and_what_exists_is_not_touched(
    server: ApiServer, namespace: str, kind: Kind
) -> None:
    metadata = {"name": "new", "namespace": namespace}
    theirs = {"kind": kind.kind, "metadata": metadata, **FOREIGN[kind.kind]}
    made = await server.apply(theirs, new=True)
    ours = {**theirs, "metadata": {**metadata, "labels": {"ours": "yes"}}}
    with pytest.raises(Gone, match=f"apply {kind.kind} {namespace}/new.*409"):
        await server.apply(ours, new=True)
    found = await server.get(kind, namespace, "new")
    assert found["metadata"]["uid"] == made["metadata"]["uid"]
    assert "labels" not in found["metadata"]
    assert (await server.apply(ours))["metadata"]["labels"] == {"ours": "yes"}
