"""`qwenctl init`: a commented resource to begin with, which lint finds nothing wrong with."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
import yaml

from qwen_operator import naming
from qwen_operator.api.engine import Engine
from qwen_operator.api.v1alpha1 import Spec
from qwen_operator.compat.images import vllm_version
from qwen_operator.errors import InvalidSpec
from qwen_operator.fit.answer import Answer, answer
from qwen_operator.fit.devices import gpu as known_gpu
from qwen_operator.fit.request import plan_of, shape_of
from qwen_operator.fit.ways import ways
from qwen_operator.settings import Settings
from qwenctl.checks.findings import Origin
from qwenctl.checks.resource import check
from qwenctl.completing import gpu_names, models
from qwenctl.documents import documents
from qwenctl.exits import Exit
from qwenctl.output import complain, write

_SHORTER = "spec.engine.maxModelLen"
_MOST_REPLICAS = 1000
_LONGEST_NAME = 46
"""Up to here the Service has the resource's own name."""

_TEMPLATE = """\
# Check it with `qwenctl lint FILE`, create it with `kubectl apply -f FILE`, follow it with
# `kubectl get qwen -w`. Every field: `qwenctl explain`. A line that begins with `#` and a field is
# a suggestion: remove the `#`.
apiVersion: {api_version}
kind: {kind}
metadata:
  name: {name}
spec:
  model:
    # hf://org/name on the Hugging Face hub, or pvc://claim/path.
    source: {source}
    # A Secret of this namespace with an access token, for private and gated models.
    #tokenSecretRef: {{name: hugging-face, key: token}}
    # A PersistentVolumeClaim that keeps downloaded weights; without it every pod downloads anew.
    #cache: {{claimName: hugging-face-cache}}
  engine:
    # Longest prompt plus answer in tokens. {length_words}
    {length}
    # Share of each GPU's memory that vLLM may take.
    gpuMemoryUtilization: {utilization}
    # GPUs that share each layer; with pipelineParallelSize it makes resources.gpus.
    tensorParallelSize: {gpus}
    # Any other engine argument of the image's vLLM.
    #extraArgs: {{max_num_batched_tokens: 4096}}
  resources:
    gpus: {gpus}
    # Which GPU that is, so that the operator can tell whether the model fits; it chooses no node.
    {product}
    # Main memory of a pod; it holds /dev/shm too.
    #memory: 32Gi
  # Pods that serve the model.
  replicas: {replicas}
  # Only nodes with these labels.
  #scheduling: {{nodeSelector: {{nvidia.com/gpu.present: "true"}}}}
"""


@dataclass(frozen=True, slots=True)
class _Choice:
    """What a person is asked for; a model of "" was not given."""

    model: str
    gpu: str | None
    replicas: int


def default_name(source: str) -> str:
    """A name for a resource that serves a model."""
    plain = re.sub(r"[^a-z0-9]+", "-", source.rstrip("/").rpartition("/")[2].lower()).strip("-")
    name = plain if plain[:1].isalpha() else f"qwen-{plain}"
    return name[:_LONGEST_NAME].rstrip("-")


def _answer(question: str) -> str:
    """What a person at the terminal types."""
    try:
        sys.stderr.write(f"{question}: ")
        sys.stderr.flush()
        line = sys.stdin.readline()
    except KeyboardInterrupt:
        complain("")
        raise
    if not line:
        complain("")
        raise InvalidSpec("nobody answered; the options of `qwenctl init -h` need nobody to")
    return line.strip()


def _asked(choice: _Choice) -> _Choice:
    """What a person at the terminal chooses, where the model was not given."""
    if not sys.stdin.isatty():
        raise InvalidSpec("MODEL is missing, and nobody is at a terminal to be asked")
    model, gpu = "", choice.gpu
    while not model:
        model = _answer("Model, as in Qwen/Qwen2.5-7B-Instruct")
    if gpu is None:
        gpu = _answer("GPU, as in L4 or 24GiB; Enter where you do not know it") or None
    replicas = _answer(f"Replicas; Enter for {choice.replicas}") or str(choice.replicas)
    if not replicas.isdecimal() or int(replicas) > _MOST_REPLICAS:
        raise InvalidSpec(f"replicas: 0 to {_MOST_REPLICAS} are possible, given {replicas!r}")
    return _Choice(model, gpu, int(replicas))


def _source(model: str) -> str:
    if "://" in model:
        return model
    return f"hf://{model}" if "/" in model else f"hf://Qwen/{model}"


def _fitted(text: str, gpu: str) -> Answer:
    """What the resource comes to on a GPU."""
    spec = Spec.model_validate(yaml.safe_load(text)["spec"])
    version = vllm_version(Settings().default_image)
    return answer(plan_of(spec, shape_of(spec), known_gpu(gpu), version))


def _text(
    source: str,
    name: str,
    numbers: dict[str, int | None],
    length_words: str,
    product: str | None = None,
) -> str:
    length = numbers["max_model_len"]
    return _TEMPLATE.format(
        api_version=naming.API_VERSION,
        kind=naming.KIND,
        name=name,
        source=source,
        gpus=numbers["gpus"],
        replicas=numbers["replicas"],
        utilization=Engine().gpu_memory_utilization,
        length=f"maxModelLen: {length}" if length else "#maxModelLen: 8192",
        length_words=length_words,
        product=f"gpuProduct: {product}" if product else "#gpuProduct: NVIDIA-H200",
    )


def _checked(text: str) -> str:
    (document,) = documents(text, "what would be written")
    # That it does not fit is told beside it, with what would.
    found = [each for each in check(document, Settings()) if each.origin is not Origin.memory]
    if found:
        raise InvalidSpec("; ".join(each.message for each in found))
    return text


def _made_to_fit(
    source: str, name: str, numbers: dict[str, int | None], gpu: str
) -> tuple[str, Answer]:
    """The resource, with a maxModelLen that fits the GPU where the model's own does not."""
    words = "The model's own when left out."
    found = _fitted(_checked(_text(source, name, numbers, words, gpu)), gpu)
    if not found.fits and numbers["max_model_len"] is None:
        near = ways(found.plan)
        shorter = next((one for one in near if one.change.startswith(_SHORTER)), None)
        if shorter is not None:
            numbers = {**numbers, "max_model_len": shorter.answer.plan.length}
            words = f"The model was made for {found.plan.shape.positions}; this fits {gpu}."
            found = shorter.answer
    return _checked(_text(source, name, numbers, words, gpu)), found


def init(
    model: Annotated[
        str | None,
        typer.Argument(
            help="As in Qwen/Qwen3-8B, hf://org/name or pvc://claim/path.", autocompletion=models
        ),
    ] = None,
    *,
    name: Annotated[
        str | None, typer.Option(help="The resource's name; made from the model when left out.")
    ] = None,
    gpu: Annotated[
        str | None,
        typer.Option(
            help="As in L4 or 24GiB: the context is made to fit it.", autocompletion=gpu_names
        ),
    ] = None,
    gpus: Annotated[int, typer.Option(min=1, max=64, help="GPUs of a pod.")] = 1,
    replicas: Annotated[
        int, typer.Option(min=0, max=_MOST_REPLICAS, help="Pods that serve the model.")
    ] = 1,
    max_model_len: Annotated[
        int | None, typer.Option(min=1, help="Longest prompt plus answer in tokens.")
    ] = None,
    into: Annotated[
        Path | None, typer.Option(help="The file to write; standard output when left out.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
) -> None:
    """Write a commented resource to begin with.

    Asks for model, GPU and replicas where no model is given and a person is at the terminal.
    """
    if not model:
        chosen = _asked(_Choice("", gpu, replicas))
        model, gpu, replicas = chosen.model, chosen.gpu, chosen.replicas
    source = _source(model)
    numbers = {"gpus": gpus, "replicas": replicas, "max_model_len": max_model_len}
    called = name or default_name(source)
    code = Exit.OK
    if gpu is None:
        text = _checked(_text(source, called, numbers, "The model's own when left out."))
    else:
        text, found = _made_to_fit(source, called, numbers, gpu)
        if not found.fits:
            code = Exit.NO
            complain(f"warning: it does not fit {gpu}: {found.why_not[0]}")
            for each in ways(found.plan):
                complain(f"  this would: {each.change}")
    if into is None:
        write(text)
    elif into.exists() and not force:
        raise InvalidSpec(f"{into} exists; --force replaces it")
    else:
        into.write_text(text, encoding="utf-8")
        complain(f"wrote {into}")
    if code:
        raise typer.Exit(code)
