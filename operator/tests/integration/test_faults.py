"""Between the operator and the API server things go wrong; the end is the same as without."""

import itertools
import json
import random
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.integration.api import (
    CHILDREN,
    DEPLOYMENTS,
    QWENS,
    SERVICES,
    Api,
    Json,
    Problem,
    eventually,
    resource,
)
from tests.integration.operating import complete, operating
from tests.integration.proxy import Faults, Request, proxied


@pytest.fixture
def through(api: Api, kubeconfig: Path, tmp_path: Path) -> Iterator[tuple[Path, Faults]]:
    with proxied(api, kubeconfig, tmp_path) as made:
        yield made


def test_every_third_request_told_to_slow_down_ends_in_the_same_state(
    api: Api, namespace: str, through: tuple[Path, Faults], tmp_path: Path
) -> None:
    kubeconfig, faults = through
    with operating(kubeconfig, namespace, tmp_path):
        count = itertools.count()
        refused: dict[str, float] = {}
        early: list[Request] = []

        def refuse(asked: Request) -> tuple[int, dict[str, str]] | None:
            if asked.writes and asked.at < refused.pop(asked.path, 0.0) + 0.95:
                early.append(asked)
            if next(count) % 3:
                return None
            if asked.writes:
                refused[asked.path] = asked.at
            return (429, {"Retry-After": "1"})

        faults.refuse = refuse
        names = [f"slowed-{number}" for number in range(5)]
        for name in names:
            api.create(QWENS, namespace, resource(name))
        for name in names:
            eventually("all is there", partial(complete, api, namespace, name))
        faults.refuse = lambda _asked: None
        # Events are posted to one path by all.
        assert not [each for each in early if "/events" not in each.path], "it was told to wait"
        assert len(faults.writes()) < 80
        assert len(faults.seen) < 400


def test_slow_answers_and_connections_that_end_give_each_object_once(
    api: Api, namespace: str, through: tuple[Path, Faults], tmp_path: Path
) -> None:
    kubeconfig, faults = through
    with operating(kubeconfig, namespace, tmp_path) as operator:
        chance = random.Random(5)  # noqa: S311 - a repeatable test
        faults.delay = lambda asked: 5.0 if not asked.watch else 0.0
        faults.reset = lambda _asked: chance.random() < 0.1
        names = [f"slow-{number}" for number in range(2)]
        for name in names:
            api.create(QWENS, namespace, resource(name))
        for name in names:
            eventually("all is there", partial(complete, api, namespace, name), 120)
        assert operator.page("healthz")[0] == 200
        assert len(faults.writes()) < 60


def test_lost_answers_to_carried_out_writes_give_each_object_once(
    api: Api, namespace: str, through: tuple[Path, Faults], tmp_path: Path
) -> None:
    kubeconfig, faults = through
    with operating(kubeconfig, namespace, tmp_path):
        chance = random.Random(7)  # noqa: S311 - a repeatable test
        faults.lose = lambda asked: asked.writes and chance.random() < 0.5
        names = [f"lost-{number}" for number in range(4)]
        for name in names:
            api.create(QWENS, namespace, resource(name))
        for name in names:
            eventually("all is there", partial(complete, api, namespace, name))
        faults.lose = lambda _asked: False
        assert len(faults.writes()) < 120


@pytest.mark.parametrize("folder", [SERVICES, DEPLOYMENTS], ids=["services", "deployments"])
def test_a_forbidden_kind_is_said_and_heals_itself(
    api: Api, namespace: str, through: tuple[Path, Faults], tmp_path: Path, folder: str
) -> None:
    kubeconfig, faults = through
    kind = folder.rsplit("/", 1)[1]
    name = f"no-{kind}"
    with operating(kubeconfig, namespace, tmp_path):
        faults.refuse = lambda asked: (
            (403, {}) if asked.writes and f"/{kind}/" in asked.path else None
        )
        api.create(QWENS, namespace, resource(name))
        eventually(
            "it is said",
            lambda: api.condition(namespace, name).get("reason") == "ApplyRefused",
        )
        assert "403" in api.condition(namespace, name)["message"]
        assert api.one(folder, namespace, name) is None
        faults.refuse = lambda _asked: None
        eventually("it heals", partial(complete, api, namespace, name))


def test_events_that_never_arrive_are_found_by_the_sweep(
    api: Api, namespace: str, through: tuple[Path, Faults], tmp_path: Path
) -> None:
    kubeconfig, faults = through
    with operating(kubeconfig, namespace, tmp_path) as operator:
        api.create(QWENS, namespace, resource("ghost"))
        eventually("all is there", partial(complete, api, namespace, "ghost"))
        faults.hide = lambda _event: True
        api.create(QWENS, namespace, resource("unheard"))
        api.delete(QWENS, namespace, "ghost")
        eventually("the sweep finds it", partial(complete, api, namespace, "unheard"))
        eventually("no ghost's child", lambda: not api.children(namespace, "ghost"))
        before = len([each for each in faults.writes() if "ghost" in each.path])
        time.sleep(6)  # one more sweep: that nothing follows can only be waited for
        assert len([each for each in faults.writes() if "ghost" in each.path]) == before
        api.create(QWENS, namespace, resource("unheard-too"))
        eventually("it calls itself deaf", lambda: operator.page("healthz")[0] == 503)


def test_two_operators_at_once_end_in_the_same_state_and_are_quiet_then(
    api: Api, namespace: str, kubeconfig: Path, tmp_path: Path
) -> None:
    names = [f"twice-{number}" for number in range(5)]
    with (
        proxied(api, kubeconfig, tmp_path) as (config, faults),
        operating(config, namespace, tmp_path),
        operating(config, namespace, tmp_path),
    ):
        for name in names:
            api.create(QWENS, namespace, resource(name))
        for name in names:
            eventually("all is there", partial(complete, api, namespace, name))
        api.merge(QWENS, namespace, names[0], {"spec": {"replicas": 2}})
        wanted = partial(_replicas, api, namespace, names[0])
        eventually("the edit", lambda: wanted() == 2)
        made = {name: sorted(api.children(namespace, name)) for name in names}
        assert all(len(each) == 3 for each in made.values())
        # Pods are counted and Services get addresses meanwhile: then nothing is left to do.
        eventually("quiet", lambda: _is_quiet(faults))


def _replicas(api: Api, namespace: str, name: str) -> int:
    return int((api.one(DEPLOYMENTS, namespace, name) or {})["spec"]["replicas"])


def _is_quiet(faults: Faults) -> bool:
    """No write for three seconds."""
    return time.monotonic() - faults.writes()[-1].at > 3


def test_a_resource_that_is_edited_all_the_time_delays_no_other(
    api: Api, namespace: str, through: tuple[Path, Faults], tmp_path: Path
) -> None:
    kubeconfig, faults = through
    with operating(kubeconfig, namespace, tmp_path) as operator:
        api.create(QWENS, namespace, resource("noisy", replicas=0))
        eventually("all is there", partial(complete, api, namespace, "noisy"))
        stop = threading.Event()
        edits = itertools.count()
        noise = [
            threading.Thread(target=_edit, args=(api, namespace, stop, edits)) for _ in range(5)
        ]
        for each in noise:
            each.start()
        try:
            waited = [_waits(api, namespace, faults, f"meek-{number}") for number in range(10)]
        finally:
            stop.set()
            for each in noise:
                each.join()
        assert next(edits) > 30, "that was no noise"
        # Told by what the noisy one was given meanwhile: a slow machine is slow for both.
        assert sorted(waited)[len(waited) // 2] < 20, waited
        assert max(waited) < 60, waited
        assert operator.page("healthz")[0] == 200
        eventually("the last edit too", partial(_is_told, api, namespace, "noisy"))


def _edit(api: Api, namespace: str, stop: threading.Event, edits: "itertools.count[int]") -> None:
    while not stop.wait(0.1):
        prompt = f"Edit {next(edits)}."
        api.merge(QWENS, namespace, "noisy", {"spec": {"chat": {"systemPrompt": prompt}}})


def _waits(api: Api, namespace: str, faults: Faults, name: str) -> int:
    """How many writes for the noisy one go before a new resource's Deployment."""
    asked = len(faults.writes())
    api.create(QWENS, namespace, resource(name, replicas=0))
    eventually("a Deployment", lambda: api.one(DEPLOYMENTS, namespace, name))
    paths = [each.path for each in faults.writes()[asked:]]
    mine = next(place for place, path in enumerate(paths) if path.endswith(f"/deployments/{name}"))
    return len([path for path in paths[:mine] if "noisy" in path])


def _is_told(api: Api, namespace: str, name: str) -> bool:
    body = api.one(QWENS, namespace, name) or {}
    return bool(body["status"]["observedGeneration"] == body["metadata"]["generation"])


def test_a_manager_that_never_gives_in_is_named_and_costs_few_writes(
    api: Api, namespace: str, through: tuple[Path, Faults], tmp_path: Path
) -> None:
    kubeconfig, faults = through
    with operating(kubeconfig, namespace, tmp_path):
        api.create(QWENS, namespace, resource("disputed"))
        eventually("all is there", partial(complete, api, namespace, "disputed"))
        before = len(faults.writes())
        stop = threading.Event()
        quarrel = threading.Thread(target=_quarrel, args=(api, namespace, stop))
        quarrel.start()
        try:
            eventually(
                "it is said",
                lambda: api.condition(namespace, "disputed").get("reason") == "FieldConflict",
            )
            assert "stubborn" in api.condition(namespace, "disputed")["message"]
            time.sleep(5)  # that few writes follow can only be waited for
            assert len(faults.writes()) - before < 30
        finally:
            stop.set()
            quarrel.join()

        def restored() -> bool:
            found: Json = api.one(DEPLOYMENTS, namespace, "disputed") or {}
            return bool(found["spec"]["revisionHistoryLimit"] == 2)

        eventually("it is restored", restored)


def _quarrel(api: Api, namespace: str, stop: threading.Event) -> None:
    path = f"{DEPLOYMENTS.format(namespace)}/disputed?fieldManager=stubborn"
    while not stop.wait(0.2):
        api.call("PATCH", path, {"spec": {"revisionHistoryLimit": 7}}, "merge-patch+json")


def test_a_namespace_that_ends_meanwhile_is_let_go(
    api: Api, kubeconfig: Path, namespace: str, tmp_path: Path
) -> None:
    ending = f"{namespace}-ending"
    api.call("POST", "/api/v1/namespaces", {"metadata": {"name": ending}})
    with operating(kubeconfig, ending, tmp_path) as operator:
        for number in range(10):
            api.create(QWENS, ending, resource(f"leaving-{number}"))
        api.call("DELETE", f"/api/v1/namespaces/{ending}")

        def gone() -> bool:
            try:
                api.call("GET", f"/api/v1/namespaces/{ending}")
            except Problem as problem:
                return problem.status == 404
            return False

        eventually("the namespace is gone", gone)
        assert operator.process.poll() is None
        assert not [each for folder in CHILDREN for each in api.all(folder, ending)]


def test_a_store_that_takes_no_writes_is_waited_for(
    api: Api, namespace: str, through: tuple[Path, Faults], tmp_path: Path
) -> None:
    """As etcd does that has no space left: it can be read, and every write is answered 500."""
    kubeconfig, faults = through
    with operating(kubeconfig, namespace, tmp_path) as operator:
        api.create(QWENS, namespace, resource("before"))
        eventually("all is there", partial(complete, api, namespace, "before"))
        faults.refuse = lambda asked: (500, {}) if asked.writes else None
        api.create(QWENS, namespace, resource("full"))
        api.merge(QWENS, namespace, "before", {"spec": {"replicas": 2}})
        asked = len(faults.writes())
        time.sleep(6)  # that few writes are tried can only be waited for
        tried = len(faults.writes()) - asked
        assert 2 <= tried < 60, tried
        assert operator.process.poll() is None
        assert operator.page("healthz") == (200, "ok\n")
        assert api.one(DEPLOYMENTS, namespace, "full") is None
        faults.refuse = lambda _asked: None
        for name in ("before", "full"):
            eventually("all is there", partial(complete, api, namespace, name))
        eventually("the edit", lambda: _replicas(api, namespace, "before") == 2)


def test_an_old_replica_s_lists_cost_a_successor_nothing(
    api: Api, namespace: str, through: tuple[Path, Faults], tmp_path: Path
) -> None:
    """A restarted operator is shown the world before a resource was deleted and made anew.

    Its resource is the predecessor, of whose children there is none, and no watch tells better.
    """
    config, faults = through
    with operating(config, namespace, tmp_path):
        old = api.create(QWENS, namespace, resource("aged", replicas=0))
        eventually("all is there", partial(complete, api, namespace, "aged"))
        old = api.one(QWENS, namespace, "aged") or {}
        api.delete(QWENS, namespace, "aged")
        new = api.create(QWENS, namespace, resource("aged", replicas=0))["metadata"]["uid"]
        eventually("its successor's", partial(_are_owned_by, api, namespace, "aged", new))
        eventually("all is there", partial(complete, api, namespace, "aged"))
    before = _identities(api, namespace, "aged")
    faults.instead = partial(_before, old)
    faults.refuse = lambda asked: (503, {}) if asked.watch else None
    asked = len(faults.seen)
    with operating(config, namespace, tmp_path) as operator:
        eventually("it works on what it is shown", lambda: "predecessor" in operator.log)
        time.sleep(6)  # a sweep, as old as the first: that nothing follows can only be waited for
        deleted = [each.path for each in faults.seen[asked:] if each.method == "DELETE"]
        assert not deleted, deleted
        assert _identities(api, namespace, "aged") == before
        assert (api.one(QWENS, namespace, "aged") or {})["metadata"]["uid"] == new
        faults.instead = lambda _asked, _body: None
        faults.refuse = lambda _asked: None
        api.merge(QWENS, namespace, "aged", {"spec": {"replicas": 1}})
        eventually("it sees what is", lambda: _replicas(api, namespace, "aged") == 1)
        assert _identities(api, namespace, "aged") == before


def _before(old: Json, asked: Request, body: bytes) -> bytes | None:
    """A list as it was when there was but the old resource."""
    if not asked.lists:
        return None
    told: Json = json.loads(body)
    told["items"] = [old] if asked.path.endswith("/qwendeployments") else []
    return json.dumps(told).encode()


def _identities(api: Api, namespace: str, name: str) -> dict[str, str]:
    return {place: each["metadata"]["uid"] for place, each in api.children(namespace, name).items()}


def _are_owned_by(api: Api, namespace: str, name: str, uid: str) -> bool:
    children = api.children(namespace, name).values()
    return [each["metadata"]["ownerReferences"][0]["uid"] for each in children] == [uid] * 3
