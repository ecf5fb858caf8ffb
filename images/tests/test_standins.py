"""Stand-ins satisfy the real loader, on small libraries that gcc makes here."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from images.recipes import ROOT

pytestmark = pytest.mark.skipif(
    not (shutil.which("gcc") and shutil.which("g++") and shutil.which("readelf")),
    reason="gcc, g++ and binutils make the libraries of these cases",
)

LOAD = """
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
library.call.restype = ctypes.c_long
print(library.call())
"""


@pytest.fixture(scope="module")
def standins() -> ModuleType:
    path = ROOT / "images/triton-cpu/standins.py"
    spec = importlib.util.spec_from_file_location("standins", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["standins"] = module
    spec.loader.exec_module(module)
    return module


def compiled(folder: Path, name: str, code: str, *options: str, compiler: str = "gcc") -> Path:
    folder.mkdir(exist_ok=True)
    source = folder / f"{name}.source"
    source.write_text(code)
    language = "c++" if compiler == "g++" else "c"
    command = [compiler, "-shared", "-fPIC", "-x", language, str(source), "-x", "none"]
    command += ["-o", str(folder / name), f"-Wl,-soname,{name}", *options]
    subprocess.run(command, check=True)
    source.unlink()
    return folder / name


def loaded(library: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", LOAD, str(library)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_a_versioned_library_that_is_missing_is_stood_in_for(
    standins: ModuleType, tmp_path: Path
) -> None:
    script = tmp_path / "real.map"
    script.write_text("REAL_3 { global: far; };\n")
    real = compiled(
        tmp_path / "real",
        "libfar.so.3",
        "long far(void){return 7;}",
        f"-Wl,--version-script={script}",
    )
    user = compiled(
        tmp_path / "lib",
        "libnear.so",
        "long far(void); long call(void){return far();}",
        str(real),
        "-Wl,-rpath,$ORIGIN",
    )
    assert loaded(user).returncode != 0
    assert standins.main([str(user.parent), str(tmp_path / "out")]) == 0
    shutil.copy(tmp_path / "out/libfar.so.3", user.parent)
    assert loaded(user).stdout == "-1\n"
    assert "version" not in loaded(user).stderr  # the loader names a version it does not find


def test_a_replaced_library_keeps_its_type_names_and_survives_static_objects(
    standins: ModuleType, tmp_path: Path
) -> None:
    header = (
        "struct Heavy { Heavy(bool); virtual ~Heavy(); virtual long work(); };\n"
        "bool (*&checker())();\n"
    )
    compiled(
        tmp_path / "lib",
        "libheavy.so",
        header
        + "Heavy::Heavy(bool){} Heavy::~Heavy(){} long Heavy::work(){return 1;}\n"
        + "static bool (*held)(); bool (*&checker())(){return held;}\n",
        compiler="g++",
    )
    user = compiled(
        tmp_path / "lib",
        "libuser.so",
        "#include <typeinfo>\n#include <cstring>\n"
        + header
        + "static bool yes(){return true;}\n"
        + "static bool set = (checker() = yes, true);\n"
        + "static struct Held { Heavy* h = new Heavy(true); ~Held(){ delete h; } } held;\n"
        + 'extern "C" long call(){ return std::strcmp(typeid(Heavy).name(), "5Heavy"); }\n',
        str(tmp_path / "lib/libheavy.so"),
        "-Wl,-rpath,$ORIGIN",
        compiler="g++",
    )
    out = tmp_path / "out"
    assert standins.main([str(user.parent), str(out), "--replace", "libheavy.so"]) == 0
    shutil.copy(out / "libheavy.so", user.parent)
    done = loaded(user)
    assert (done.returncode, done.stdout) == (0, "0\n")


def test_libraries_of_the_system_are_never_stood_in_for(
    standins: ModuleType, tmp_path: Path
) -> None:
    user = compiled(
        tmp_path / "lib",
        "libsum.so",
        "#include <math.h>\ndouble f(double x){return sin(x);}",
        "-lm",
    )
    assert standins.main([str(user.parent), str(tmp_path / "out")]) == 0
    assert list((tmp_path / "out").iterdir()) == []
    assert standins.SYSTEM.fullmatch("libcudnn.so.9") is None
