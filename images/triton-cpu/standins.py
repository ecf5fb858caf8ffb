"""Makes small shared objects that satisfy the loader in place of libraries a CPU pod never calls.

PyTorch's CUDA build names NVIDIA's libraries, and its own CUDA half, as needed: `import torch`
fails without them although nothing in them runs on a machine without a GPU. This reads from the
ELF files which symbols, under which versions, are asked of each missing library and compiles a
library that has just those. Every C function returns -1, which is an error in each of these APIs.

Usage: standins.py FOLDER OUT [--replace NAME ...] [--also FOLDER ...]
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

SYSTEM = re.compile(
    r"ld-linux.*|lib(c|m|dl|rt|pthread|util|gcc_s|stdc\+\+|gomp|numa|python3\.\d+)\.so(\.\d+)*"
)
"""Libraries that the distribution brings; they are never replaced."""

TYPE_INFO_VTABLE = "_ZTVN10__cxxabiv117__class_type_infoE"
CONSTRUCTOR = re.compile(r"_ZN.*C[12]E")
INTERPRETER = re.compile(r"_?Py[A-Z_]")
POINTER = 8


@dataclass(frozen=True)
class Symbol:
    """One row of a dynamic symbol table.

    Attributes:
        name: The symbol as the linker sees it.
        kind: ELF type, FUNC or OBJECT; undefined symbols have NOTYPE.
        size: Bytes, 0 when undefined.
        version: Version name asked for, empty without one.
        origin: The library that the version belongs to, empty without one.
    """

    name: str
    kind: str = "FUNC"
    size: int = 0
    version: str = ""
    origin: str = ""


@dataclass
class Elf:
    """What the loader looks at in one file."""

    path: Path
    needed: list[str] = field(default_factory=list)
    defined: dict[str, Symbol] = field(default_factory=dict)
    wanted: list[Symbol] = field(default_factory=list)


def _readelf(path: Path) -> str:
    """The dynamic section, version needs and dynamic symbols of a file, as text."""
    command = ["readelf", "-W", "-d", "-V", "--dyn-syms", str(path)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _version_origins(text: str) -> dict[int, str]:
    """Version index to the file it is asked of, from the 'version needs' section."""
    origins: dict[int, str] = {}
    file = ""
    for line in text.splitlines():
        if found := re.search(r"\bFile: (\S+)", line):
            file = found[1]
        elif found := re.search(r"\bName: \S+ +Flags: .* Version: (\d+)", line):
            origins[int(found[1])] = file
    return origins


def read(path: Path) -> Elf:
    """Read one ELF file.

    Raises:
        subprocess.CalledProcessError: readelf does not take it for an ELF file.
    """
    text = _readelf(path)
    origins = _version_origins(text)
    elf = Elf(path, needed=re.findall(r"\(NEEDED\).*\[(.+)\]", text))
    row = re.compile(
        r"^ *\d+: [0-9a-f]+ +(\w+) (\w+) +(\w+) +\w+ +(\w+) (\S+?)(?:@+(\S+))?(?: \((\d+)\))?$"
    )
    for line in text.splitlines():
        if not (found := row.match(line)):
            continue
        size, kind, binding, section, name, version, index = found.groups()
        if section != "UND":
            elf.defined[name] = Symbol(name, kind, int(size, 0))
        elif binding != "WEAK":
            origin = origins.get(int(index or 0), "")
            elf.wanted.append(Symbol(name, version=version or "", origin=origin))
    return elf


def missing(present: list[Elf], provided: set[str]) -> dict[str, list[Elf]]:
    """Needed libraries that nobody provides, each with the files that need it."""
    wanted_by: dict[str, list[Elf]] = defaultdict(list)
    for elf in present:
        for name in elf.needed:
            if name not in provided and not SYSTEM.fullmatch(name):
                wanted_by[name].append(elf)
    return wanted_by


def plan(
    present: list[Elf], also: list[Elf], replaced: dict[str, Elf]
) -> dict[str, dict[str, Symbol]]:
    """Which symbols each stand-in holds, by library name.

    A versioned symbol says which library it is asked of. An unversioned one goes to the replaced
    library that defines it; what nobody defines goes to every missing library whose own
    definitions are unknown, for the loader takes the first it finds.
    """
    provided = {elf.path.name for elf in [*present, *also]}
    known = {name for elf in [*present, *also] for name in elf.defined}
    known |= {name for elf in replaced.values() for name in elf.defined}
    stand_ins: dict[str, dict[str, Symbol]] = {}
    for library, users in missing(present, provided).items():
        symbols = stand_ins.setdefault(library, {})
        real = replaced.get(library)
        for symbol in (each for user in users for each in user.wanted):
            if real and symbol.name in real.defined:
                symbols[symbol.name] = real.defined[symbol.name]
            elif symbol.origin == library or not (
                real or symbol.version or symbol.name in known or INTERPRETER.match(symbol.name)
            ):
                symbols[symbol.name] = symbol
    return stand_ins


def _function(name: str) -> str:
    """C source of a function that takes the place of NAME."""
    if CONSTRUCTOR.match(name):
        return f"void {name}(void **self) {{ *self = methods; }}"
    return f"long {name}(void) {{ return {'(long)nothing' if name.startswith('_Z') else '-1'}; }}"


def source(symbols: dict[str, Symbol]) -> str:
    """C source that defines the symbols."""
    lines = [
        f"extern char {TYPE_INFO_VTABLE}[];",
        "static long fail(void) { return -1; }",
        # A C++ function may return a reference that a static initialiser writes to, or a bool:
        # an address with a zero low byte, of zeros, is good for both.
        "static char nothing[4096] __attribute__((aligned(4096)));",
        # pybind11 constructs default arguments at import and releases them at exit, virtually.
        f"static void *methods[64] = {{ {', '.join(['(void *)fail'] * 64)} }};",
    ]
    for symbol in sorted(symbols.values(), key=lambda each: each.name):
        if symbol.kind != "OBJECT":
            lines.append(_function(symbol.name))
            continue
        slots = max(1, -(-symbol.size // POINTER))
        if symbol.name.startswith("_ZTI"):  # C++ compares these by the name inside
            values = f'{TYPE_INFO_VTABLE} + {2 * POINTER}, (void *)"{symbol.name[4:]}"'
        elif symbol.name.startswith("_ZTV"):
            values = ", ".join(["(void *)fail"] * slots)
        else:
            values = "0"
        lines.append(f"void *{symbol.name}[{slots}] = {{ {values} }};")
    return "\n".join(lines) + "\n"


def version_script(symbols: dict[str, Symbol]) -> str:
    """The linker's version script; unversioned stand-ins make the loader abort."""
    versions: dict[str, list[str]] = defaultdict(list)
    for symbol in symbols.values():
        if symbol.version:
            versions[symbol.version].append(symbol.name)
    return "".join(
        f"{version} {{ global: {'; '.join(sorted(names))}; }};\n"
        for version, names in sorted(versions.items())
    )


def compile_library(name: str, symbols: dict[str, Symbol], out: Path) -> None:
    """Write OUT/NAME, a shared object that defines the symbols."""
    code, script = out / f"{name}.c", out / f"{name}.map"
    code.write_text(source(symbols))
    script.write_text(version_script(symbols))
    command = ["gcc", "-shared", "-fPIC", "-O1", "-w", "-s", "-fno-builtin", "-nostdlib"]
    command += ["-o", str(out / name), str(code), f"-Wl,-soname,{name}"]
    if script.stat().st_size:
        command.append(f"-Wl,--version-script={script}")
    subprocess.run(command, check=True)
    code.unlink()
    script.unlink()


def main(arguments: list[str]) -> int:
    """Make every stand-in that the shared objects of a folder need."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="shared objects that must load")
    parser.add_argument("out", type=Path, help="where the stand-ins go")
    parser.add_argument("--replace", nargs="*", default=[], metavar="NAME", help="stand in for it")
    parser.add_argument("--leave-out", nargs="*", default=[], metavar="NAME", help="never loaded")
    parser.add_argument("--also", nargs="*", default=[], type=Path, help="folders of real ones")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    skipped = {*options.replace, *options.leave_out}
    files = [path for path in sorted(options.folder.glob("*.so*")) if path.name not in skipped]
    also = [read(path) for folder in options.also for path in sorted(folder.glob("*.so*"))]
    replaced = {name: read(options.folder / name) for name in options.replace}
    for name, symbols in plan([read(path) for path in files], also, replaced).items():
        compile_library(name, symbols, options.out)
        print(f"{name}: {len(symbols)} symbols")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
