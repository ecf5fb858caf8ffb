"""`qwenctl` against the real API server and a model that is really served."""

import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.stack import clients
from e2e.stack.commands import kubectl
from e2e.stack.models import NAMESPACE, Model, document, eventually
from e2e.stack.qwenctl import Done, Follower, Terminal, guest_kubeconfig, qwenctl
from e2e.stack.scalars import KUBECTL
from e2e.suites.secrets import DOOR
from e2e.tiny_qwen.school.answers import EXPECTED
from e2e.tiny_qwen.school.writing import TALKING

HERE = ("-n", NAMESPACE)
WHO, NAME = EXPECTED["an identity"].answer, EXPECTED["a name"].answer


def tiny(**spec: object) -> dict[str, Any]:
    """The shared model, with other settings."""
    return document("tiny", **{"chat": {"apiKeySecretRef": DOOR}, **spec})


def ask(*arguments: str, given: str | None = None) -> Done:
    """One command in the tests' namespace."""
    return qwenctl(*arguments, *HERE, given=given)


def told(*arguments: str) -> Any:
    """What it tells a program."""
    done = ask(*arguments, "-o", "json")
    assert done.err == ""
    return json.loads(done.out)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The shared model's file, as its user keeps it."""
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(tiny()), encoding="utf-8")
    return path


@pytest.fixture
def person(model: Model) -> Iterator[Terminal]:
    """Somebody who chats with the model."""
    terminal = Terminal("chat", model.name, *HERE, "--temperature", "0")
    yield terminal
    terminal.close()


def test_status_was_followed_from_the_start_until_ctrl_c(
    model: Model, followed: tuple[Model, Follower]
) -> None:
    looks = followed[1].end()
    # How far a start is can be told from the backend and from vLLM's log, by what is read when.
    progress = [pod["progress"] for look in looks for pod in look["pods"] if pod["progress"]]
    assert {each["phase"] for each in progress} & {
        "importing vLLM",
        "starting vLLM",
        "loading the weights",
        "weights loaded",
        "warming up",
    }
    assert looks[0]["ready"] is False
    assert any(look["ready"] and look["reason"] == "Serving" for look in looks)
    assert model.ready()["status"] == "True"


def test_status_events_and_logs_show_what_is_the_case(model: Model) -> None:
    done = ask("status", model.name)
    (pod,) = model.pods()
    name = pod["metadata"]["name"]
    assert done.code == 0
    assert f"{NAMESPACE}/tiny: Serving" in done.out
    assert f"{name}   Ready" in done.out
    assert "s to load" in done.out
    objects = {each["object"] for each in told("events", model.name)}
    assert {f"Pod/{name}", "Deployment/tiny", "QwenDeployment/tiny"} <= objects
    log = ask("logs", model.name, "--tail", "5000")
    assert (log.code, log.err) == (0, "")
    assert "CPU KV cache size" in log.out
    # The server goes on to write: what was its last line then is a little further up now.
    last = log.out.rstrip().splitlines()[-1][:40]
    followed = Terminal("logs", model.name, *HERE, "--follow", "--tail", "100")
    try:
        followed.wait_for(last)
        followed.interrupt()
        assert (followed.wait(), followed.is_restored) == (130, True)
    finally:
        followed.close()


def test_the_kv_cache_is_what_the_cpu_engine_itself_accounts(model: Model, file: Path) -> None:
    log = ask("logs", model.name, "--tail", "5000").out
    shape = str(TALKING / "config.json")
    done = qwenctl(
        "fit", "-f", str(file), "--config", shape, "--against", "-", "-o", "json", given=log
    )
    found = json.loads(done.out)
    assert (done.code, found["gpu"]) == (0, "the CPU")
    assert [(each["what"], each["computed"]) for each in found["against"]] == [
        ("KV cache", found["against"][0]["printed"]),
        ("tokens", found["against"][1]["printed"]),
    ]


def test_a_file_is_compared_with_what_is_live(model: Model, file: Path) -> None:
    (pod,) = model.pods()
    same = ask("diff", str(file))
    assert (same.code, same.out) == (0, "tiny\n  no difference\n")
    file.write_text(yaml.safe_dump(tiny(engine={"maxModelLen": 512})), encoding="utf-8")
    (found,) = told("diff", str(file))
    assert [each["field"] for each in found["changes"]] == ["spec.engine.maxModelLen"]
    assert found["changes"][0]["restartsPods"] is True
    assert "1 pod is replaced" in found["actions"][0]
    # What it says it would do it does not do.
    assert [each["metadata"]["uid"] for each in model.pods()] == [pod["metadata"]["uid"]]


def test_render_gives_what_the_operator_applied_to_the_byte(model: Model, file: Path) -> None:
    body = model.see()
    uid, image = body["metadata"]["uid"], body["status"]["image"]
    changed = yaml.safe_load(file.read_text(encoding="utf-8"))
    changed["spec"]["triton"] = {"image": image}
    file.write_text(yaml.safe_dump(changed), encoding="utf-8")
    done = ask("render", str(file), "--uid", uid)
    rendered = {each["kind"]: each for each in yaml.safe_load_all(done.out)}
    key = "qwen-operator.dev/applied-hash"
    live = json.loads(kubectl(*HERE, "get", "service", "tiny", "-o", "json"))
    assert (
        rendered["Service"]["metadata"]["annotations"][key]
        == (live["metadata"]["annotations"][key])
    )


def test_one_message_is_answered_over_a_port_that_nobody_forwarded(model: Model) -> None:
    done = ask("chat", model.name, "-m", "Who are you?", "--temperature", "0")
    assert (done.code, done.out) == (0, f"{WHO}\n")
    piped = ask("chat", model.name, "--temperature", "0", given="Who are you?\n")
    assert piped.out == f"{WHO}\n"
    refused = ask("chat", model.name, given="too long " * 5000)
    assert (refused.code, refused.out) == (1, "")
    assert "the model answered" in refused.err


def requests_of(model: Model) -> tuple[int, int]:
    """How many answers its engine is about, and how many it has ended by itself."""
    (pod,) = model.pods()
    text = clients.page(f"http://{pod['status']['podIP']}:8002/metrics")
    under_way = re.findall(r"^vllm:num_requests_(?:running|waiting){.*} (\S+)$", text, re.MULTILINE)
    by_itself = r'^vllm:request_success_total{.*finished_reason="(?:length|stop)".*} (\S+)$'
    ended = re.findall(by_itself, text, re.MULTILINE)
    return round(sum(map(float, under_way))), round(sum(map(float, ended)))


def test_ctrl_c_ends_an_answer_in_the_engine_too(model: Model) -> None:
    def is_idle() -> bool:
        return requests_of(model)[0] == 0

    eventually("the engine is idle", is_idle, 60)
    ended = requests_of(model)[1]
    question = ("Tell me a story.", "--max-tokens", "900", "--temperature", "0")
    person = Terminal("chat", model.name, *HERE, "-m", *question)
    try:
        person.wait_for("Once upon a time")
        person.interrupt()
        assert (person.wait(), person.is_restored) == (130, True)
    finally:
        person.close()
    # What it tells is a second old: the next answer's end is told together with that of this one.
    assert ask("chat", model.name, "-m", "Who are you?").code == 0
    eventually("the next one is counted", lambda: requests_of(model)[1] > ended, 60)
    eventually("the engine is idle again", is_idle, 60)
    assert requests_of(model)[1] == ended + 1


def test_a_conversation_remembers_and_ctrl_c_stops_an_answer_and_not_the_program(
    person: Terminal,
) -> None:
    person.wait_for("> ")
    person.type("My name is Ada.\n")
    person.wait_for("Nice to meet you, Ada!")
    person.wait_for("tokens/s, the first after")
    person.type("What is my name?\n")
    person.wait_for(NAME)
    person.type("Tell me a story.\n")
    person.wait_for("Once upon a time")
    person.interrupt()
    person.wait_for("(stopped)")
    person.wait_for("> ")
    person.type("/clear\n")
    person.wait_for("(forgotten)")
    person.type("What is my name?\n")
    person.wait_for(EXPECTED["no name"].answer)
    # Before the prompt the terminal itself would take Ctrl-D, and readline would not see it.
    person.wait_for("> ")
    person.type("\x04")
    assert (person.wait(), person.is_restored) == (0, True)


def test_top_shows_the_load_of_every_model(model: Model) -> None:
    found = {each["name"]: each for each in told("top", "--seconds", "0.5")}
    assert found[model.name]["ready"] is True
    assert found[model.name]["cache"] is not None
    assert found[model.name]["tokensPerSecond"] is not None
    watching = Terminal("top", *HERE, "--watch", "--seconds", "0.5")
    try:
        watching.wait_for("TOK/S OUT")
        watching.wait_for("tiny")
        watching.interrupt()
        assert (watching.wait(), watching.is_restored) == (130, True)
    finally:
        watching.close()


def test_a_load_test_keeps_its_figures_and_compares_them(model: Model, tmp_path: Path) -> None:
    quick = ("--streams", "1,2", "--turns", "1", "--tokens", "8")
    first, second = str(tmp_path / "first.json"), str(tmp_path / "second.json")
    done = ask("bench", model.name, *quick, "--save", first, "--plot", str(tmp_path / "run.png"))
    assert done.code == 0, done.err
    assert "1 pod on" in done.out
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")
    quick = ("--streams", "1", *quick[2:])
    done = ask("bench", model.name, *quick, "--door", "grpc", "--save", second, "--against", first)
    assert done.code == 0, done.err
    assert "no door was measured with as many streams in both" in done.out
    levels = json.loads(Path(first).read_text(encoding="utf-8"))["doors"]["Triton HTTP"]
    assert [(each["streams"], each["errors"]) for each in levels] == [(1, 0), (2, 0)]
    assert all(each["first"]["p50"] > 0 and each["server"]["waiting"] >= 0 for each in levels)
    short = ask("bench", model.name, "--streams", "1", "--turns", "1", "--tokens", "2000")
    assert short.code == 2
    assert "spec.engine.maxModelLen" in short.err
    stopped = Terminal(
        "bench", model.name, *HERE, "--streams", "1", "--turns", "50", "--tokens", "64"
    )
    try:
        stopped.wait_for("levels: 1, 50 answers a stream")
        stopped.interrupt()
        assert (stopped.wait(), stopped.is_restored) == (130, True)
        assert "Traceback" not in stopped.seen
    finally:
        stopped.close()


def test_a_bundle_holds_what_a_report_needs_and_nobodys_words(model: Model, tmp_path: Path) -> None:
    ask("chat", model.name, "-m", "My secret is hunter2.", "--temperature", "0")
    path = tmp_path / "bundle.tar.gz"
    done = ask("bundle", model.name, "--into", str(path))
    assert done.code == 0
    with tarfile.open(path) as archive:
        held = {
            member.name.split("/", 1)[1]: (archive.extractfile(member) or path.open("rb")).read()
            for member in archive
        }
    (pod,) = model.pods()
    folder = f"pods/{pod['metadata']['name']}"
    assert {"resource.yaml", "events.yaml", "history.txt", "versions.yaml"} <= held.keys()
    assert b"CPU KV cache size" in held[f"{folder}/log.txt"]
    assert b"vllm:num_requests_running" in held[f"{folder}/metrics.txt"]
    assert held["missing.txt"] == b"nothing\n"
    everything = b"".join(held.values())
    assert b"hunter2" not in everything
    assert b"You are a helpful assistant." not in everything


@pytest.fixture(scope="module")
def guest(shared_model: Model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A kubeconfig of somebody who may do nothing, and then only look."""
    assert shared_model
    kubectl(*HERE, "create", "serviceaccount", "guest")
    token = kubectl(*HERE, "create", "token", "guest").strip()
    yield guest_kubeconfig(tmp_path_factory.mktemp("guest") / "kubeconfig", token)
    kubectl(*HERE, "delete", "serviceaccount", "guest")
    kubectl(*HERE, "delete", "role,rolebinding", "onlooker", "--ignore-not-found")


def test_who_may_do_little_is_told_what_is_missing(model: Model, guest: Path) -> None:
    as_guest = ("--kubeconfig", str(guest), "--context", "guest")
    for command in (("status", "tiny"), ("top",), ("chat", "tiny", "-m", "x"), ("bundle", "tiny")):
        done = ask(*command, *as_guest)
        assert (done.code, done.out) == (3, "")
        assert "answered 403" in done.err
        assert "ask whoever runs the cluster for that permission" in done.err
    verbs, what = "--verb=get,list", "--resource=qwendeployments.qwen-operator.dev,pods"
    kubectl(*HERE, "create", "role", "onlooker", verbs, what)
    who = f"--serviceaccount={NAMESPACE}:guest"
    kubectl(*HERE, "create", "rolebinding", "onlooker", "--role=onlooker", who)
    assert ask("status", "tiny", *as_guest).code == 0
    (row,) = json.loads(ask("top", "--seconds", "0.1", "-o", "json", *as_guest).out)
    assert (row["name"], row["tokensPerSecond"]) == (model.name, None)
    for command, missing in (
        (("chat", "tiny", "-m", "x"), "pods/portforward"),
        (("bench", "tiny"), "pods/portforward"),
        (("logs", "tiny"), "pods/log"),
        (("events", "tiny"), "events"),
    ):
        done = ask(*command, *as_guest)
        assert (done.code, done.out) == (3, "")
        assert missing in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("status", "nobody", *HERE), 4, f"no QwenDeployment nobody in namespace {NAMESPACE}"),
        (("status", "tiny", "-n", "nowhere"), 4, "there is none in that namespace"),
        (("top", "--context", "nowhere"), 3, "has no context 'nowhere'; it has"),
        (("top", "--kubeconfig", "/nowhere"), 3, "no kubeconfig: /nowhere does not exist"),
        (("logs", "tiny", *HERE, "--pod", "x"), 2, "tiny has no pod x; it has tiny-"),
    ],
)
def test_what_is_not_there_is_one_sentence(
    model: Model, arguments: tuple[str, ...], code: int, words: str
) -> None:
    assert model
    done = qwenctl(*arguments)
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert "Traceback" not in done.err


def test_a_scalar_means_to_kubectl_what_qwenctl_takes_it_for(installed: Any) -> None:
    assert installed
    body = document("scalars")
    lines = [f"      f{number}: {scalar}" for number, scalar in enumerate(KUBECTL)]
    body["spec"]["engine"]["extraArgs"] = "HERE"
    text = yaml.safe_dump(body).replace(" HERE", "\n" + "\n".join(lines))
    made = json.loads(
        kubectl(
            "create", "--dry-run=client", "--validate=false", "-o", "json", "-f", "-", given=text
        )
    )
    found = made["spec"]["engine"]["extraArgs"]
    assert [found[f"f{number}"] for number in range(len(KUBECTL))] == list(KUBECTL.values())


def test_the_watch_of_a_model_ends_with_ctrl_c(model: Model) -> None:
    watching = Terminal("status", model.name, *HERE, "--watch")
    try:
        watching.wait_for("endpoint:")
        watching.interrupt()
        assert (watching.wait(), watching.is_restored) == (130, True)
    finally:
        watching.close()
