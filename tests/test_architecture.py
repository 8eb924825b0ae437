"""The house keeps its own laws: who imports whom, file sizes, names, docstrings, no machine paths.

``ROOMS`` is the import law of "How it is built": a room of a higher level may import lower ones, siblings of
one level may not import each other, exceptions are listed by name.  Imports inside functions, under
TYPE_CHECKING and through ``import_module("...")`` count like any other.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("riskengine", "factors", "backtests")

ROOMS: dict[str, float] = {
    "riskengine.base": 1, "riskengine.kernels": 1,
    "riskengine.policy": 2, "riskengine.market": 2, "riskengine.result": 2,
    "riskengine.coverage_result": 2,
    "riskengine.flows": 3, "riskengine.factor_model": 3,
    "riskengine.impact": 4,
    "riskengine.simulation": 5, "riskengine.instruments": 5, "riskengine.measures": 5,
    "riskengine.execution": 5,
    "riskengine.data": 5.5,
    "riskengine.engine": 6,
    "riskengine.reports": 7, "riskengine.resident": 7, "riskengine.reverse_stress": 7,
    "riskengine.hedging": 7, "riskengine.benchmark": 7,
    "riskengine.desk": 8,
    "riskengine.workflows": 9,
    "riskengine.cli": 10, "riskengine.__main__": 10, "riskengine": 10,
    "factors": 6, "backtests": 9.5,
}
"""Room → level. 'riskengine' itself is the lazy public door."""

ONLY: dict[str, tuple[str, ...]] = {
    "riskengine.kernels": (),
    "riskengine.base": (),
    "riskengine.data": (
        "riskengine.base", "riskengine.policy", "riskengine.market", "riskengine.result", "riskengine.flows",
        "riskengine.impact", "riskengine.factor_model", "riskengine.instruments",
    ),
    "factors": (
        "riskengine.base", "riskengine.policy", "riskengine.market", "riskengine.result",
        "riskengine.factor_model", "riskengine.data",
    ),
}
"""Rooms that may import these and nothing else of the house (on top of the levels)."""

IMPORTED_BY: dict[str, tuple[str, ...]] = {
    "riskengine.data": ("riskengine", "riskengine.workflows", "riskengine.desk", "riskengine.reports",
                        "factors", "backtests", "riskengine.cli", "riskengine.__main__"),
    "factors": ("riskengine.workflows", "backtests"),
    "backtests": ("riskengine.workflows",),
}
"""Rooms that only these may import. The command line reads scenario headings without loading a workflow."""

EXCEPTIONS = {("riskengine.cli", "riskengine.__main__"), ("riskengine.__main__", "riskengine.cli"),
              ("riskengine.workflows", "backtests")}
"""Edges allowed against the levels: the two halves of the command line; workflows run the backtests."""

FORBIDDEN = {("backtests", "riskengine.workflows"), ("backtests", "riskengine.desk")}
"""Edges forbidden although the levels would allow them."""

THIRD_PARTY: dict[str, tuple[str, ...]] = {
    "numba": ("riskengine.kernels",), "llvmlite": ("riskengine.kernels",),
    "statsmodels": ("factors", "backtests.scoring"), "arch": ("factors", "backtests.scoring"),
    "pandas": ("factors",),
    "polars": ("riskengine.data", "riskengine.reports", "factors", "backtests", "riskengine.desk",
               "riskengine.workflows"),
    "pyarrow": ("riskengine.data", "riskengine.workflows"),
    "narwhals": ("riskengine.workflows", "riskengine"),
    "plotly": ("riskengine.reports", "riskengine.desk"), "jinja2": ("riskengine.reports", "riskengine.desk"),
    "markupsafe": ("riskengine.reports", "riskengine.desk"),
    "weasyprint": ("riskengine.reports",), "xlsxwriter": ("riskengine.reports",),
    "dash": ("riskengine.desk",), "dash_ag_grid": ("riskengine.desk",),
    "flask": ("riskengine.desk",), "werkzeug": ("riskengine.desk",),
    "pydantic": ("riskengine.data.configs",), "pydantic_core": ("riskengine.data.configs",),
    "typer": ("riskengine.cli",), "rich": ("riskengine.cli",),
    "click": ("riskengine.cli", "riskengine.__main__"),
    "dask": ("riskengine.execution",), "distributed": ("riskengine.execution",),
    "duckdb": ("riskengine.data",), "jax": ("riskengine.benchmark",), "torch": ("riskengine.benchmark",),
    "numpy": ("riskengine", *PACKAGES),
    "scipy": tuple(r for r in ROOMS if r not in ("riskengine", "riskengine.kernels")),
}
"""Package → modules (prefixes) that may import it; a package that is not listed may be imported nowhere."""

MOST_LINES = 400
BAD_NAMES = re.compile(r"(^|_)(utils?|common|helpers?|managers?|misc)($|_)")


def room_of(module: str) -> str:
    """'riskengine.impact.equity' → 'riskengine.impact'; 'factors.betas' → 'factors'."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "riskengine" else parts[0]


def imports_of(module: str, source: str, is_package: bool = False, eager_only: bool = False) -> set[str]:
    """Dotted names a module imports; ``from a import b`` gives a.b; *eager_only*: those run by importing it.

    A bare ``import riskengine`` counts by what is taken from it: ``riskengine.run`` (``__version__`` is
    free).
    """
    found: set[str] = set()
    package = module.split(".") if is_package else module.split(".")[:-1]

    def visit(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if eager_only and isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                continue
            if eager_only and isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.Import):
                found.update(a.name for a in child.names if a.name != "riskengine" or a.asname)
            elif isinstance(child, ast.Attribute) and ast.unparse(child.value) == "riskengine":
                found.add(f"riskengine.{child.attr}")
            elif isinstance(child, ast.ImportFrom):
                base = package[: len(package) - child.level + 1] if child.level else []
                stem = ".".join([*base, *([child.module] if child.module else [])])
                found.update(f"{stem}.{alias.name}" for alias in child.names)
            elif isinstance(child, ast.Call) and ast.unparse(child.func).split(".")[-1] in (
                "import_module", "__import__"
            ):
                values = [a.value for a in child.args if isinstance(a, ast.Constant)]
                found.update(v for v in values if isinstance(v, str))
            visit(child)

    visit(ast.parse(source))
    return found


def import_violations(module: str, source: str, is_package: bool = False) -> list[str]:
    """Sentences, one per import that breaks the law; a module of an unknown room is one too."""
    room, broken = room_of(module), []
    if room not in ROOMS:
        return [f"{module}: room '{room}' is not in the import law"]
    for name in sorted(imports_of(module, source, is_package)):
        top = name.split(".")[0]
        if re.fullmatch(r"riskengine\.__(version|file|path)__", name):
            continue
        if top in PACKAGES:
            target = room_of(name)
            if target not in ROOMS:
                target = "riskengine"  # a name of the public door
            if target != room and not _may_import(room, target):
                broken.append(f"{module} imports {name}: {room} may not import {target}")
        elif top == "tests":
            broken.append(f"{module} imports {name}: nobody imports tests")
        elif top not in sys.stdlib_module_names:
            allowed = THIRD_PARTY.get(top, ())
            inside = any(module == a or module.startswith(a + ".") for a in allowed if a != "riskengine")
            if not inside and not ("riskengine" in allowed and (top == "numpy" or module == "riskengine")):
                broken.append(f"{module} imports {name}: {top} belongs to {', '.join(allowed) or 'no room'}")
    return broken


def _may_import(room: str, target: str) -> bool:
    if (room, target) in EXCEPTIONS:
        return True
    if (room, target) in FORBIDDEN:
        return False
    if room in ONLY and target not in ONLY[room]:
        return False
    if target in IMPORTED_BY and room not in IMPORTED_BY[target]:
        return False
    return ROOMS[target] < ROOMS[room]


def source_files(*folders: str) -> list[Path]:
    return sorted(p for f in folders for p in (ROOT / f).rglob("*.py") if "__pycache__" not in p.parts)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(p): p for p in source_files(*PACKAGES)}


def _source(path: Path) -> str:
    return path.read_text(encoding="utf-8")


# ------------------------------------------------------------------------------------------------ the laws


def test_every_import_obeys_the_law():
    broken = [v for name, path in MODULES.items()
              for v in import_violations(name, _source(path), path.name == "__init__.py")]
    assert not broken, "\n".join(broken)


def reachable(start: str, sources: dict[str, tuple[str, bool]]) -> dict[str, str]:
    """Everything importing *start* runs: name → who imported it. All imports of *start*, then eager ones
    only; packages on the way are run too."""
    seen: dict[str, str] = {}
    queue = [(start, "", False)]
    while queue:
        name, parent, eager = queue.pop()
        parts = name.split(".")
        for i in range(1, len(parts) + 1):
            prefix = ".".join(parts[:i])
            if prefix in seen or (prefix not in sources and prefix.split(".")[0] in PACKAGES):
                continue
            seen[prefix] = parent
            if prefix in sources:
                source, is_package = sources[prefix]
                names = imports_of(prefix, source, is_package, eager or prefix != start)
                queue += [(n, prefix, True) for n in names]
    return seen


def test_data_reaches_neither_kernels_nor_numba():
    sources = {n: (_source(p), p.name == "__init__.py") for n, p in MODULES.items()}
    bad = []
    for name in sorted(n for n in MODULES if room_of(n) == "riskengine.data"):
        seen = reachable(name, sources)
        for target in ("numba", "riskengine.kernels"):
            if target in seen:
                chain, at = [target], seen[target]
                while at:
                    chain.append(at)
                    at = seen[at]
                bad.append(" <- ".join(chain))
    assert not bad, "\n".join(bad)


def test_importing_data_loads_neither_kernels_nor_numba_in_fact():
    names = sorted(n for n in MODULES if room_of(n) == "riskengine.data")
    code = (f"import sys, importlib\nfor n in {names!r}: importlib.import_module(n)\n"
            "print([m for m in ('numba', 'riskengine.kernels') if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]", done.stdout


def size_and_name_violations(path: str, source: str) -> list[str]:
    """A file that is too long, or has a name that says nothing."""
    lines = source.count("\n") + 1
    broken = [f"{path}: {lines} lines, at most {MOST_LINES}"] if lines > MOST_LINES else []
    names = path.removesuffix(".py").split("/")
    return broken + [f"{path}: '{n}' says nothing about what is in it" for n in names if BAD_NAMES.search(n)]


def test_files_are_short_and_named_for_what_they_hold():
    broken = [v for p in source_files(*PACKAGES, "tests")
              for v in size_and_name_violations(p.relative_to(ROOT).as_posix(), _source(p))]
    assert not broken, "\n".join(broken)


def docstring_violations(module: str, source: str) -> list[str]:
    """The module, and each public class and function at its top level, says what it is."""
    tree = ast.parse(source)
    broken = [] if ast.get_docstring(tree) else [f"{module}: no module docstring"]
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            if not node.name.startswith("_") and not ast.get_docstring(node):
                broken.append(f"{module}.{node.name} (line {node.lineno}): no docstring")
    return broken


def test_every_module_and_public_name_has_a_docstring():
    broken = [v for n, p in MODULES.items() for v in docstring_violations(n, _source(p))]
    assert not broken, "\n".join(broken)


DISK = {"open", "read_text", "write_text", "read_bytes", "write_bytes", "mkdir", "unlink", "iterdir",
        "glob", "rglob"}
OFF_DISK = ("riskengine.base", "riskengine.policy", "riskengine.market", "riskengine.result",
            "riskengine.coverage_result",
            "riskengine.flows", "riskengine.factor_model", "riskengine.impact",
            "riskengine.simulation", "riskengine.instruments",
            "riskengine.measures", "riskengine.execution", "riskengine.engine", "riskengine.resident",
            "riskengine.reverse_stress", "riskengine.hedging")
"""Rooms that only compute. Kernels alone of the lower rooms have a compile cache on disk."""


def disk_violations(module: str, source: str) -> list[str]:
    """Calls that touch the disk in a room that must not."""
    calls = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call)]
    return [f"{module}:{c.lineno} calls {ast.unparse(c.func)}" for c in calls
            if room_of(module) in OFF_DISK and ast.unparse(c.func).split(".")[-1] in DISK]


def test_the_engine_touches_no_disk():
    broken = [v for n, p in MODULES.items() for v in disk_violations(n, _source(p))]
    assert not broken, "\n".join(broken)


MACHINE = re.compile(
    r"(?<![\w.~*\-/])/(?:home|root|Users|work|tmp|opt|mnt|srv)/[\w.]|\b[A-Za-z]:\\\\?(?:Users|home)|"
    + "|".join(r"\b" + name for name in (r"pypi\.(?:org|io)", r"files\.pythonhosted", r"conda\.anaconda",
                                         r"registry\.npmjs", "artifactory", r"proxy\.golang"))
    + r"|--(?:extra-)?index" r"-url"
)


def test_no_machine_path_and_no_registry_address_in_tracked_text():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout: the list of tracked files is not known")
    broken = []
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if not path.is_file() or path == Path(__file__).resolve():
            continue
        content = path.read_bytes()
        if b"\0" in content:
            continue
        for number, line in enumerate(content.decode("utf-8").splitlines(), 1):
            if found := MACHINE.search(line):
                broken.append(f"{name}:{number}: {found.group()}")
    assert not broken, "\n".join(broken)


# ------------------------------------------------------------------------------------ the laws can be broken


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("riskengine.measures.x", "from riskengine.simulation import draw_of_path"),
        ("riskengine.measures.x", "from riskengine import simulation"),
        ("riskengine.measures.x", "def f():\n    import riskengine.engine.paths"),
        ("riskengine.measures.x", "from ..engine import paths"),
        ("riskengine.measures.x", "import riskengine\nriskengine.run"),
        ("riskengine.measures.x", "import numba"),
        ("riskengine.measures.x", "from importlib import import_module\nimport_module('factors.betas')"),
        ("riskengine.impact.x", "if TYPE_CHECKING:\n    from riskengine.instruments.portfolio import Book"),
        ("riskengine.kernels.x", "from riskengine.base.errors import ModelError"),
        ("riskengine.kernels.x", "import scipy.special"),
        ("riskengine.base.x", "import riskengine.kernels.tails"),
        ("riskengine.data.x", "from riskengine.simulation import simulate_noise"),
        ("riskengine.data.x", "import pydantic"),
        ("riskengine.engine.x", "from riskengine.data.panels import load_panel"),
        ("riskengine.engine.x", "import polars"),
        ("riskengine.desk.x", "from riskengine.workflows import build_world"),
        ("riskengine.reports.x", "import backtests.coverage"),
        ("riskengine.workflows.x", "from riskengine.cli import main"),
        ("riskengine.workflows.x", "import typer"),
        ("factors.x", "from riskengine.impact.response import ResponseDraws"),
        ("backtests.x", "from riskengine.workflows import nightly"),
        ("backtests.x", "import statsmodels.api"),
        ("riskengine.result", "import requests"),
        ("riskengine.result", "from tests.measures import test_limits"),
        ("riskengine.utils", "import math"),
    ],
)
def test_a_violation_is_seen(module, source):
    assert len(import_violations(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("riskengine.measures.x", "import numpy as np\nfrom scipy.special import chdtrc\n"
         "from riskengine.kernels.tails import smallest\nimport riskengine.result\nfrom . import limits"),
        ("riskengine.data.configs.x", "import pydantic\nfrom riskengine.impact.parameters import Parameters"),
        ("riskengine.workflows.x", "import factors, backtests.coverage\nfrom riskengine.data import panels"),
        ("riskengine", "def __getattr__(n):\n    from riskengine.workflows import nightly"),
        ("backtests.scoring", "import arch\nfrom riskengine.engine import run\nfrom factors import betas"),
        ("riskengine.data.x", "import riskengine\nfolder = riskengine.__file__"),
        ("riskengine.cli", "import typer, rich\nfrom riskengine import workflows, __version__"),
    ],
)
def test_what_the_law_allows_is_allowed(module, source):
    assert import_violations(module, source) == []


def test_the_other_checks_can_fail():
    assert size_and_name_violations("riskengine/base/date_utils.py", "x\n" * 400) != []
    assert size_and_name_violations("riskengine/helpers/dates.py", "") != []
    assert size_and_name_violations("riskengine/measures/commonality.py", "x\n" * 300) == []
    assert len(docstring_violations("m", "def f():\n    pass\nclass C:\n    pass\ndef _g():\n    pass")) == 3
    assert disk_violations("riskengine.engine.x", "Path('a').read_text()\nopen('b')") and not disk_violations(
        "riskengine.data.x", "open('b')")
    for text in ("see /home/someone/x", '"/opt/run"', "C:\\\\Users\\\\me", "https://pypi" ".org/simple"):
        assert MACHINE.search(text), text
    for text in ("https://www.bis.org/home/x", "a/opt/b", "../shared", "#!/usr/bin/env bash", "1/opt/2"):
        assert not MACHINE.search(text), text


def test_transitive_reach_follows_packages_and_skips_lazy_imports_of_others():
    sources = {"riskengine": ("", True), "riskengine.data": ("", True), "riskengine.impact": ("", True),
               "riskengine.data.a": ("from riskengine.impact.types import T", False),
               "riskengine.impact.types": ("def f():\n    import numba", False)}
    assert "numba" not in reachable("riskengine.data.a", sources)
    sources["riskengine.data.b"] = ("def f():\n    import numba", False)
    assert "numba" in reachable("riskengine.data.b", sources)
    sources["riskengine.impact"] = ("import riskengine.kernels.tails", True)
    sources["riskengine.kernels"] = ("import numba", True)
    assert reachable("riskengine.data.a", sources)["numba"] == "riskengine.kernels"
