"""Watches and lists that go wrong in every way that kopf and our own watches may meet."""

import itertools
import threading
from collections import Counter
from functools import partial
from pathlib import Path

from tests.integration.api import QWENS, Api, Json, eventually, resource
from tests.integration.operating import complete, operating
from tests.integration.process import OperatorProcess
from tests.integration.proxy import Event, Request, proxied, status


def restarts(operator: OperatorProcess) -> float:
    """How often its watches had to be started again."""
    lines = operator.page("metrics")[1].splitlines()
    name = "qwen_operator_watch_restarts_total "
    return next((float(each.removeprefix(name)) for each in lines if each.startswith(name)), -1.0)


ERRORS = (
    status(410, "Expired"),
    status(500, "InternalError"),
    status(504, "Timeout"),
    status(429, "TooManyRequests"),
)


def test_errors_in_watches_start_them_again_and_lose_nothing(
    api: Api, namespace: str, kubeconfig: Path, tmp_path: Path
) -> None:
    with (
        proxied(api, kubeconfig, tmp_path) as (config, faults),
        operating(config, namespace, tmp_path) as operator,
    ):
        for said in ERRORS:
            code = said["object"]["code"]
            ghost, late, before = f"ghost-{code}", f"late-{code}", restarts(operator)
            api.create(QWENS, namespace, resource(ghost))
            eventually("all is there", partial(complete, api, namespace, ghost))
            # What happens now nobody tells of; the next event is an error instead.
            faults.hide = lambda _event: True
            api.delete(QWENS, namespace, ghost)
            eventually("its children are gone", partial(_is_bare, api, namespace, ghost))
            asked = len(faults.writes())
            struck: set[str] = set()
            faults.speak = partial(_once, struck, said)
            api.create(QWENS, namespace, resource(late))
            # The watch of the resources may still be pausing after the error before.
            eventually("an error in a stream", partial(bool, struck))
            faults.hide = lambda _event: False
            eventually("all is there", partial(complete, api, namespace, late))
            if code != 410:
                # kopf itself goes on after 410; ours lists anew.
                eventually("it is counted", partial(_has_restarted, operator, before))
            of_ghost = [each for each in faults.writes()[asked:] if ghost in each.path]
            assert len(of_ghost) < 3, "one pass may have been under way"
        asked = len(faults.writes())
        eventually("two sweeps more", partial(_sweeps, operator, _swept(operator) + 2))
        assert not [each for each in faults.writes()[asked:] if "ghost" in each.path]
        assert operator.process.poll() is None


def _is_bare(api: Api, namespace: str, name: str) -> bool:
    return not api.children(namespace, name)


def _has_restarted(operator: OperatorProcess, before: float) -> bool:
    return restarts(operator) > before


def _once(struck: set[str], said: Event, asked: Request, _event: Event) -> Event | None:
    """One error for each watch."""
    if asked.path in struck:
        return None
    struck.add(asked.path)
    return said


def _swept(operator: OperatorProcess) -> float:
    name = 'qwen_operator_sweeps_total{outcome="done"} '
    lines = operator.page("metrics")[1].splitlines()
    return next(float(each.removeprefix(name)) for each in lines if each.startswith(name))


def _sweeps(operator: OperatorProcess, count: float) -> bool:
    return _swept(operator) >= count


def test_a_stream_that_ends_in_the_middle_of_a_line_loses_nothing(
    api: Api, namespace: str, kubeconfig: Path, tmp_path: Path
) -> None:
    with (
        proxied(api, kubeconfig, tmp_path) as (config, faults),
        operating(config, namespace, tmp_path) as operator,
    ):
        torn: Counter[str] = Counter()

        def tear(asked: Request) -> bool:
            torn[asked.path] += asked.watch
            return asked.watch and torn[asked.path] <= 2

        faults.tear = tear
        names = [f"torn-{number}" for number in range(4)]
        for name in names:
            api.create(QWENS, namespace, resource(name))
        for name in names:
            eventually("all is there", partial(complete, api, namespace, name))
        assert sum(torn.values()) >= 2, "no stream was torn"
        assert operator.process.poll() is None


def test_a_first_list_that_ends_in_its_middle_is_asked_for_again_until_it_is_whole(
    api: Api, namespace: str, kubeconfig: Path, tmp_path: Path
) -> None:
    names = [f"listed-{number}" for number in range(6)]
    for name in names:
        api.create(QWENS, namespace, resource(name))
    with proxied(api, kubeconfig, tmp_path) as (config, faults):
        torn: Counter[str] = Counter()

        def tear(asked: Request) -> bool:
            torn[asked.path] += asked.lists
            return asked.lists and torn[asked.path] <= 1

        faults.tear = tear
        with operating(config, namespace, tmp_path) as operator:
            for name in names:
                eventually("it was seen", partial(complete, api, namespace, name))
            assert len([path for path, count in torn.items() if count]) >= 2
            assert "cannot start yet" in operator.log


def test_whichever_event_never_arrives_the_end_is_the_same(
    api: Api, namespace: str, kubeconfig: Path, tmp_path: Path
) -> None:
    """Resource number k loses its k-th event; of all that belongs to it, counted together."""
    many = 16
    lost: set[int] = set()
    counts = [itertools.count(1) for _ in range(many)]
    guard = threading.Lock()

    def hide(event: Event) -> bool:
        number = _number(event["object"])
        if number is None:
            return False
        with guard:
            strikes = next(counts[number]) == number + 1
        if strikes:
            lost.add(number)
        return strikes

    with (
        proxied(api, kubeconfig, tmp_path) as (config, faults),
        operating(config, namespace, tmp_path),
    ):
        faults.hide = hide
        names = [f"unheard-{number}" for number in range(many)]
        for name in names:
            api.create(QWENS, namespace, resource(name))
        for name in names:
            eventually("all is there", partial(complete, api, namespace, name))
        for name in names:
            change = {"spec": {"engine": {"maxModelLen": 512}}}
            api.merge(QWENS, namespace, name, change)
        for name in names:
            eventually("the edit", partial(_edited, api, namespace, name))
        for name in names[::2]:
            api.delete(QWENS, namespace, name)
        for name in names[::2]:
            eventually("nothing is left", partial(_gone, api, namespace, name))
    assert len(lost) >= many * 3 // 4, f"only {sorted(lost)} lost an event"


def _number(body: Json) -> int | None:
    metadata = body["metadata"]
    owner = (metadata.get("annotations") or {}).get("qwen-operator.dev/resource")
    name = str(metadata["name"] if body["kind"] == "QwenDeployment" else owner)
    prefix, _, number = name.rpartition("-")
    return int(number) if prefix == "unheard" else None


def _edited(api: Api, namespace: str, name: str) -> bool:
    """The Deployment is of the resource's present generation, and the status says so."""
    body = api.one(QWENS, namespace, name) or {}
    told = body.get("status", {})
    deployment = api.children(namespace, name).get(f"deployments/{name}")
    template = deployment["spec"]["template"]["metadata"]["annotations"] if deployment else {}
    current = told.get("observedGeneration") == body["metadata"]["generation"] == 2
    return bool(current and template["qwen-operator.dev/config-hash"] == told["configHash"])


def _gone(api: Api, namespace: str, name: str) -> bool:
    return not api.children(namespace, name) and api.one(QWENS, namespace, name) is None
