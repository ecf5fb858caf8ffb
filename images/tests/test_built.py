"""The built images on a real runtime: small, unprivileged, on a read-only root file system."""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from images import buildah, debian
from images.recipes import RECIPES, ROOT, SYSTEM_PACKAGES, package_list, reference
from images.sbom import write_sbom

pytestmark = pytest.mark.images

Run = Callable[..., subprocess.CompletedProcess[str]]

MOUNTS = [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
    {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["mode=1777"]},  # noqa: S108
    {"destination": "/tmp", "type": "tmpfs", "source": "tmp", "options": ["mode=1777"]},  # noqa: S108
    {"destination": "/sys", "type": "bind", "source": "/sys", "options": ["rbind", "ro"]},
]


NAMESPACES = ("pid", "mount", "ipc", "uts", "network")
LIMIT_S = 300
NOT_ON_LINUX = {"colorama"}

ECHO_CONFIG = """
backend: "python"
input [{ name: "text_input" data_type: TYPE_STRING dims: [1] }]
output [{ name: "text_output" data_type: TYPE_STRING dims: [1] }]
instance_group [{ kind: KIND_CPU count: 1 }]
"""

ECHO_MODEL = """
import sys
import numpy
import triton_python_backend_utils

class TritonPythonModel:
    def initialize(self, args):
        try:
            open("/opt/x", "w")
        except OSError as error:
            why = "read-only" if error.errno == 30 else str(error)
        version = "%d.%d" % sys.version_info[:2]
        print("python", version, "of", sys.prefix + ", file system is", why, flush=True)
"""

# Loads the model, waits until it says so, and stops the server as kubelet would.
SERVE = """
tritonserver --model-repository=/tmp/models --model-control-mode=explicit --load-model=echo \\
    --disable-auto-complete-config > /tmp/log 2>&1 &
for _ in $(seq 200); do
    grep -q 'Started HTTPService' /tmp/log && break
    kill -0 $! || break
    sleep 0.5
done
kill -TERM $!; wait $!; code=$?
cat /tmp/log
exit $code
"""


def answer(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module", params=RECIPES)
def image(request: pytest.FixtureRequest) -> str:
    name = reference(ROOT, RECIPES[request.param])
    if not buildah.exists(name):
        pytest.fail(f"{name} is not built: run 'python -m images build {request.param}' first")
    return name


@pytest.fixture(scope="module")
def root(image: str) -> Iterator[Path]:
    container = answer("buildah", "from", "--pull-never", image)
    yield Path(answer("buildah", "mount", container))
    answer("buildah", "rm", container)


@pytest.fixture(scope="module")
def config(image: str) -> dict[str, Any]:
    inspected = json.loads(answer("buildah", "inspect", "--type", "image", image))
    return cast("dict[str, Any]", inspected["OCIv1"]["config"])


@pytest.fixture
def run(root: Path, config: dict[str, Any], tmp_path: Path) -> Run:
    user, group = map(int, config["User"].split(":"))

    def start(*command: str) -> subprocess.CompletedProcess[str]:
        process = {
            "user": {"uid": user, "gid": group},
            "args": list(command) or config["Entrypoint"],
            "env": config["Env"],
            "cwd": config["WorkingDir"],
            "noNewPrivileges": True,
        }
        spec = {
            "ociVersion": "1.0.2",
            "root": {"path": str(root), "readonly": True},
            "mounts": MOUNTS,
            "linux": {"namespaces": [{"type": kind} for kind in NAMESPACES]},
            "process": process,
        }
        (tmp_path / "config.json").write_text(json.dumps(spec))
        name = f"images-{os.getpid()}-{tmp_path.name}"
        return subprocess.run(
            ["runc", "run", "--bundle", str(tmp_path), name],
            check=False,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )

    return start


OPERATOR_IMPORTS = """
import aiohttp, kopf, kubernetes.aio.config, prometheus_client, pydantic, yaml
import qwen_operator.__main__
from importlib.util import find_spec
print(sorted(find_spec("qwen_triton").submodule_search_locations))
"""

MODEL_POD_IMPORTS = """
import numpy, torch
from vllm import AsyncEngineArgs
from vllm.platforms import current_platform
assert numpy.__version__.startswith("1."), numpy.__version__
assert not torch.cuda.is_available()
assert current_platform.device_type == "cpu", current_platform.device_type
print("imports work")
"""


of_operator = pytest.mark.parametrize("image", ["operator"], indirect=True, scope="module")
of_model_pod = pytest.mark.parametrize("image", ["triton-cpu"], indirect=True, scope="module")


def test_it_stays_small(image: str, root: Path) -> None:
    # Of the operator's, uvloop is 14, the API's models of the kubernetes package 52, bytecode of
    # the standard library 13.
    limit = {"operator": 178, "triton-cpu": 1700}
    name = next(name for name in RECIPES if image.startswith(RECIPES[name].repository))
    megabytes = int(
        answer("du", "-s", "--apparent-size", "--block-size=1000000", str(root)).split()[0]
    )
    assert megabytes < limit[name]


def test_it_runs_as_the_user_that_pods_are_given(config: dict[str, Any]) -> None:
    assert config["User"] == "65532:65532"
    assert config["WorkingDir"] == "/tmp"  # noqa: S108
    assert "HOME=/tmp" in config["Env"]


def test_nothing_of_the_machine_that_built_it_is_left(root: Path, image: str) -> None:
    assert not (root / "dev/client").exists()
    history = answer("buildah", "inspect", "--type", "image", image)
    assert "CA_BUNDLE" not in history
    assert not list(root.glob("opt/venv/lib/python3.11/site-packages/pip"))
    assert not (root / "usr/bin/gcc").exists()


def test_python_compiles_nothing_as_it_starts(run: Run) -> None:
    modules = "asyncio, json, ssl, aiohttp, prometheus_client, pydantic, yaml"
    done = run("python3", "-v", "-c", f"import {modules}")
    # So -v names where a module's code comes from.
    sources = re.findall(r"^# code object from '?(\S+?)'?$", done.stderr, re.MULTILINE)
    assert len(sources) > 200, done.stderr[-2000:]
    assert [each for each in sources if each.endswith(".py")] == []


@of_operator
def test_the_operator_has_its_own_bytecode(root: Path) -> None:
    package = root / "opt/operator/qwen_operator"
    assert len(list(package.rglob("*.pyc"))) == len(list(package.rglob("*.py")))


@of_operator
def test_the_operator_imports_all_and_finds_the_backends_source(run: Run) -> None:
    done = run("python3", "-c", OPERATOR_IMPORTS)
    assert done.stdout == "['/opt/operator/qwen_triton']\n", done.stderr


@of_operator
def test_the_operator_reaches_the_point_where_it_needs_a_cluster(run: Run) -> None:
    done = run()
    assert done.returncode != 0
    assert "KUBECONFIG" in done.stderr, done.stderr


@of_model_pod
def test_the_model_pod_imports_vllm_for_cpu(run: Run) -> None:
    done = run("tini", "-s", "--", "python3", "-c", MODEL_POD_IMPORTS)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["imports work"]), done.stderr


@of_model_pod
def test_tritonserver_loads_a_python_model_with_no_option_but_its_own(run: Run) -> None:
    files = {"config.pbtxt": ECHO_CONFIG, "1/model.py": ECHO_MODEL}
    write = "".join(
        f"mkdir -p /tmp/models/echo/1; cat > /tmp/models/echo/{name} <<'END'\n{text}\nEND\n"
        for name, text in files.items()
    )
    done = run("tini", "-s", "--", "sh", "-c", f"{write}\n{SERVE}")
    assert "python 3.11 of /opt/venv, file system is read-only" in done.stdout, done.stderr
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def bill(image: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = write_sbom(image, tmp_path_factory.mktemp("bill") / "image.cdx.json")
    return cast("dict[str, Any]", json.loads(path.read_text()))


def packages(bill: dict[str, Any], kind: str) -> dict[str, str]:
    """Name → version of a bill's packages of a kind."""
    return {
        each["name"].lower().replace("_", "-"): each["version"]
        for each in bill["components"]
        if each.get("purl", "").startswith(f"pkg:{kind}/")
    }


def test_no_debian_package_is_another_file_than_the_lock_has_under_its_version(image: str) -> None:
    with buildah.mounted(image) as folder:
        found = debian.in_folder(Path(folder))
    assert len(found) > len(SYSTEM_PACKAGES)
    assert debian.differences(debian.locked(ROOT), found).forged == []


@of_operator
def test_the_operator_s_bill_of_materials_has_every_locked_package(bill: dict[str, Any]) -> None:
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    found = packages(bill, "pypi")
    locked = re.findall(
        r"^([a-z0-9-]+)==(\S+?)(?: ;.*)? \\$",
        (ROOT / "requirements" / "operator.txt").read_text(),
        re.MULTILINE,
    )
    assert len(locked) > 20
    for name, version in locked:
        assert found.get(name, version) == version
    missing = {name for name, _ in locked} - set(found)
    # Only for other platforms or Pythons.
    assert missing <= NOT_ON_LINUX, missing


def test_a_bill_of_materials_has_what_was_taken_from_debian_and_all_that_this_needs(
    image: str, root: Path, bill: dict[str, Any], run: Run
) -> None:
    found = packages(bill, "deb")
    recipe = next(each for each in RECIPES.values() if image.startswith(each.repository))
    assert {*SYSTEM_PACKAGES, *package_list(ROOT, recipe.packages)} <= found.keys()
    # libpython3.11-stdlib needs it: nobody named it.
    assert "libssl3" in found
    said = run("/usr/bin/python3.11", "-c", "import platform; print(platform.python_version())")
    assert found["python3.11"].startswith(f"{said.stdout.strip()}-"), said.stderr
    for path in (root / "var/lib/dpkg/status.d").iterdir():
        record = path.read_text()
        assert f"\nVersion: {found[path.name]}\n" in record
        assert re.search(r"^SHA256: [0-9a-f]{64}$", record, re.MULTILINE)
