"""The operator's own client on a real API server: preconditions, errors and their words."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qwen_operator.cluster import api_server
from qwen_operator.cluster.api_server import ApiServer, connect
from qwen_operator.cluster.protocol import CONFIG_MAP, POD, QWEN, SERVICE
from qwen_operator.errors import Gone, Refused, Unreachable
from tests.integration.api import CONFIG_MAPS, QWENS, Api, Json, resource
from tests.integration.process import free_port, redirected


@pytest.fixture
async def server(api: Api, kubeconfig: Path) -> AsyncIterator[ApiServer]:
    assert api
    async with connect({"KUBECONFIG": str(kubeconfig)}) as made:
        yield made


def config_map(namespace: str, name: str, **data: str) -> Json:
    metadata = {"name": name, "namespace": namespace, "labels": {"of": "test"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


async def test_an_applied_object_is_read_listed_and_deleted(
    server: ApiServer, namespace: str
) -> None:
    made = await server.apply(config_map(namespace, "plain", a="1"))
    assert (await server.get(CONFIG_MAP, namespace, "plain"))["data"] == {"a": "1"}
    (listed,) = await server.list(CONFIG_MAP, namespace, "of=test", "metadata.name=plain")
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
    assert len(await server.list(CONFIG_MAP, namespace, "of=pages")) == 5


async def test_a_server_that_is_not_there_is_unreachable(kubeconfig: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "kubeconfig"
    redirected(kubeconfig, elsewhere, f"https://127.0.0.1:{free_port()}")
    async with connect({"KUBECONFIG": str(elsewhere)}) as made:
        with pytest.raises(Unreachable, match="list Pod in all namespaces: no answer"):
            await made.list(POD, None)
