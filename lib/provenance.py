"""Where a number comes from: the code it was computed with, and the commit that code stands in.

The files a result depends on are found by reading imports, not by running them, so that asking
costs milliseconds and can be done for every notebook at each start.
"""

import ast
import hashlib
import json
import subprocess
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from lib.paths import REPO

# Tables of settings and names. What a run takes from them is in its configuration's hash, or is a
# module that it imports itself, so that a new row does not make the results of all others stale.
SETTINGS = frozenset({"lib/training/experiments.py", "lib/training/profiles.py", "lib/networks/__init__.py"})


def module_closure(target: str | Path, root: Path = REPO) -> list[Path]:
    """The files under lib/ that `target` runs on, found through its imports and theirs.

    target: a module ("lib.train"), which is itself part of the answer, or the path of a notebook
        or Python file, which is not, unless it lies under lib/.
    root: the folder that holds lib/.

    Read are `import lib.x`, `from lib.x import y` (y a submodule or a name) and the `__init__.py`
    files on the way; relative imports and modules imported by computed names are not followed.
    The files of SETTINGS are left out and not followed: a change there reaches a run through its
    configuration's hash or the modules it imports.

    Returns sorted paths. Raises FileNotFoundError for a target that does not exist and ValueError
    for one that is not Python.
    """
    if isinstance(target, str) and target.split(".")[0] == "lib":
        stem = root.joinpath(*target.split("."))
        if not (stem.with_suffix(".py").is_file() or (stem / "__init__.py").is_file()):
            raise FileNotFoundError(f"there is no module {target} under {root}")
        waiting = _module_files(target, root)
    else:
        waiting = {Path(target).resolve()}
    found: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        for module in _imports(python_source(path), str(path)):
            waiting |= _module_files(module, root) - found
    return sorted(path for path in found if path.is_relative_to(root / "lib"))


def python_source(path: Path) -> str:
    """The text of a Python file, or of a notebook's code cells without IPython's % and ! lines."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = ("".join(cell["source"]) for cell in json.loads(text)["cells"]
             if cell["cell_type"] == "code")
    return "\n".join(line for cell in cells for line in cell.splitlines()
                     if not line.lstrip().startswith(("%", "!")))


@cache
def _imports(source: str, name: str) -> tuple[str, ...]:
    """Dotted names under lib that Python text may import; the last part can be a plain name."""
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise ValueError(f"{name} is not valid Python: {error}") from None
    return tuple(module for node in ast.walk(tree) for module in _imported(node)
                 if module.split(".")[0] == "lib")


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.level == 0:
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _module_files(module: str, root: Path) -> set[Path]:
    """The files that importing `module` executes: it and the packages above, where they exist."""
    parts = module.split(".")
    stems = [root.joinpath(*parts[:k]) for k in range(1, len(parts) + 1)]
    return {path for stem in stems for path in (stem / "__init__.py", stem.with_suffix(".py"))
            if path.is_file() and path.relative_to(root).as_posix() not in SETTINGS}


def code_hash(files: Iterable[Path], root: Path = REPO) -> str:
    """SHA-256 (64 hexadecimal digits) over the names, relative to `root`, and bytes of `files`.

    The order of `files` does not matter. Nothing in them is ignored, comments included.
    """
    digest = hashlib.sha256()
    for name, path in sorted((path.relative_to(root).as_posix(), path) for path in files):
        content = path.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def notebook_hash(path: Path) -> str:
    """SHA-256 over the type and text of a notebook's cells: stored outputs do not count."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text = json.dumps([(cell["cell_type"], "".join(cell["source"])) for cell in cells])
    return hashlib.sha256(text.encode()).hexdigest()


def git_commit(root: Path = REPO) -> str:
    """The commit checked out at `root`, 12 digits, with "+changes" where tracked code differs.

    Code is lib/, notebooks/ and the Snakefile. "unknown" without git, outside a repository, and
    where `root` is only a folder inside someone else's repository.
    """
    try:
        if Path(_git(root, "rev-parse", "--show-toplevel")).resolve() != root.resolve():
            return "unknown"
        commit = _git(root, "rev-parse", "--short=12", "HEAD")
        changes = _git(root, "status", "--porcelain", "--untracked-files=no", "--",
                       "lib", "notebooks", "Snakefile")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{commit}+changes" if changes else commit


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", str(root), *arguments], check=True, text=True,
                          capture_output=True).stdout.strip()
