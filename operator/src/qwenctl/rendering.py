"""`qwenctl render`: what the operator would apply, or the same for one machine with Docker."""

import importlib.resources
import itertools
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from qwen_operator import naming
from qwen_operator.api.quantities import amount
from qwen_operator.api.resource import Resource
from qwen_operator.desired.children import Desired, desired, with_applied_hash
from qwen_operator.desired.repository import WEIGHTS, Files, repository
from qwen_operator.desired.repository import backend_files as as_files
from qwen_operator.errors import InvalidSpec
from qwen_operator.settings import Settings
from qwenctl.documents import documents, is_ours
from qwenctl.files import read_body, read_text
from qwenctl.output import Format, complain, document, write

Json = dict[str, Any]

BACKEND = "qwen_triton"
UNKNOWN_UID = "00000000-0000-0000-0000-000000000000"


def backend_files() -> Files:
    """The source of the package that runs inside Triton, which is never imported here."""
    folder = importlib.resources.files(BACKEND)
    found = (each for each in folder.iterdir() if each.name.endswith(".py"))
    return as_files({each.name: each.read_text(encoding="utf-8") for each in found})


class _Blocks(yaml.SafeDumper):
    """Writes texts of several lines as they are, so that they can be read."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401, ARG002 - PyYAML's name
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    return dumper.represent_scalar(
        "tag:yaml.org,2002:str", value, style="|" if "\n" in value else None
    )


_Blocks.add_representer(str, _text)


def manifests(resource: Resource, settings: Settings) -> list[Json]:
    """The objects as the operator applies them, in its order.

    Raises:
        InvalidSpec: the operator would refuse the resource.
    """
    wanted = desired(resource, settings, backend_files())
    shared = [] if wanted.backend is None else [wanted.backend]
    return [with_applied_hash(each) for each in (*shared, *wanted.children)]


def as_yaml(objects: list[Json]) -> str:
    """Several objects as one YAML text."""
    return yaml.dump_all(objects, Dumper=_Blocks, sort_keys=False, width=100, allow_unicode=True)


def model_files(resource: Resource) -> dict[str, str]:
    """Triton's model repository: path below the repository → content."""
    rendered = repository(resource, backend_files())
    return {
        f"{resource.served_name}/{path}": files.data[key]
        for files in (rendered.own, rendered.backend)
        for key, path in files.paths.items()
    }


def _container(wanted: Desired) -> Json:
    pod = wanted.deployment["spec"]["template"]["spec"]
    found: Json = next(each for each in pod["containers"] if each["name"] == naming.CONTAINER)
    return found


def _variables(container: Json) -> Iterator[str]:
    for each in container["env"]:
        # What lies in a Secret comes from the caller's environment, by the same name.
        yield each["name"] if "valueFrom" in each else f"{each['name']}={each['value']}"


def _docker_size(quantity: str) -> str:
    """A Kubernetes quantity as Docker writes it, whose units are powers of two."""
    size = int(amount(quantity) or 0)
    for unit, power in (("g", 30), ("m", 20)):
        if size and size % 2**power == 0:
            return f"{size >> power}{unit}"
    return f"{size}b"


def docker_command(
    resource: Resource, settings: Settings, folders: tuple[Path, Path | None]
) -> list[str]:
    """`docker run` with what the pod would have.

    Args:
        resource: what to serve.
        settings: the operator's defaults.
        folders: Triton's model repository, and the weights where they do not come from the hub.

    Raises:
        InvalidSpec: the weights lie on a claim, and no folder with them was named.
    """
    models, weights = folders
    spec = resource.spec
    container = _container(desired(resource, settings, backend_files()))
    made = ["docker", "run", "--rm", "--init", "--name", resource.child]
    if spec.resources.gpus:
        made += ["--gpus", str(spec.resources.gpus)]
    made += ["--shm-size", _docker_size(spec.triton.shared_memory_size)]
    if spec.resources.memory is not None:
        made += ["--memory", _docker_size(spec.resources.memory)]
    for port in (each["containerPort"] for each in container["ports"]):
        made += ["-p", f"{port}:{port}"]
    made += ["-v", f"{models.resolve()}:/models:ro"]
    if spec.model.source.startswith("hf://"):
        made += ["-v", f"{Path.home() / '.cache' / 'huggingface'}:/cache"]
    elif weights is None:
        raise InvalidSpec(
            f"spec.model.source {spec.model.source} is a claim of the cluster: name the folder that"
            " holds what lies on it with --weights"
        )
    else:
        made += ["-v", f"{weights.resolve()}:{WEIGHTS}:ro"]
    for each in _variables(container):
        made += ["-e", each]
    return [*made, container["image"], *container["args"]]


def in_lines(command: list[str]) -> str:
    """A command for a shell, an option with its value a line."""
    words = [shlex.quote(each) for each in command]
    text = words[0]
    for before, each in itertools.pairwise(words):
        fresh = each.startswith("-") or (not before.startswith("-") and before != "docker")
        text += f" \\\n  {each}" if fresh else f" {each}"
    return text + "\n"


def _write_folder(files: Mapping[str, str], into: Path, *, replace: bool) -> None:
    for name, text in files.items():
        path = into / name
        if path.exists() and not replace and path.read_text(encoding="utf-8") != text:
            raise InvalidSpec(f"{path} exists and holds something else; --force replaces it")
    for name, text in files.items():
        path = into / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _read(file: Path, namespace: str, uid: str) -> list[Resource]:
    found = []
    for each in documents(read_text(file), str(file)):
        if is_ours(each.body):
            metadata = each.body.get("metadata")
            if isinstance(metadata, dict):
                metadata.setdefault("uid", uid)
            found.append(read_body(each, str(file), namespace))
    if not found:
        raise InvalidSpec(f"{file} holds no {naming.KIND}")
    return found


def render(
    file: Annotated[Path, typer.Argument(help="A YAML file; - is standard input.")],
    *,
    form: Annotated[
        str, typer.Option("--format", help="kubernetes: objects; docker: a folder and a command.")
    ] = "kubernetes",
    into: Annotated[
        Path, typer.Option(help="docker: the folder for Triton's model repository.")
    ] = Path("models"),
    force: Annotated[
        bool, typer.Option("--force", help="docker: replace files that hold something else.")
    ] = False,
    weights: Annotated[
        Path | None, typer.Option(help="docker: the folder with the weights of a pvc:// source.")
    ] = None,
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="Where the file does not say one.")
    ] = "default",
    uid: Annotated[
        str, typer.Option(help="The resource's uid, which the API server gives it.")
    ] = UNKNOWN_UID,
    default_image: Annotated[
        str | None, typer.Option(help="The operator's default image, where it is another one.")
    ] = None,
    output: Annotated[
        Format, typer.Option("--output", "-o", help="yaml or json; a table is YAML here.")
    ] = Format.yaml,
) -> None:
    """Write what the operator would apply for a resource, or what runs it with Docker alone.

    With the uid of a resource that exists (kubectl get qwen NAME -o jsonpath={.metadata.uid}) and
    the operator's default image, the objects are those that the operator applies, to the byte.
    """
    settings = Settings() if default_image is None else Settings(default_image=default_image)
    found = _read(file, namespace, uid)
    if form == "kubernetes":
        objects: list[Json] = []
        for one in found:
            # What several resources of a namespace read is written once.
            objects += [each for each in manifests(one, settings) if each not in objects]
        json_list = {"apiVersion": "v1", "kind": "List", "items": objects}
        write(document(json_list, output) if output is Format.json else as_yaml(objects))
        return
    if form != "docker":
        raise InvalidSpec(f"--format {form!r}: kubernetes or docker is needed")
    if len(found) > 1:
        raise InvalidSpec(f"{file} holds {len(found)} resources; --format docker renders one")
    (one,) = found
    if one.spec.pod_template is not None:
        complain("note: of spec.podTemplate only the serving container's variables are taken over")
    command = docker_command(one, settings, (into, weights))
    files = model_files(one)
    _write_folder(files, into, replace=force)
    value = {"folder": str(into), "files": sorted(files), "command": command}
    write(document(value, output) if output is Format.json else in_lines(command))
