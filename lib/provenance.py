"""Where a result comes from: the code that made it, as a hash of definitions, and the commit.

`identity(engine.train, TwoDGANRecipe)` hashes the syntax trees of these definitions and of every
definition under lib/ that they name, directly or by way of others. Comments, docstrings,
annotations, layout, and the file that a definition stands in do not count; a changed constant
does. Nothing is executed, so asking costs milliseconds.

What is followed, and what is refused because it cannot be:

- names, attributes of modules (`least_squares.generator_loss`), imports inside functions, names
  that a package passes on. A module that is handed over as a whole (`getattr(module, name)`)
  counts as a whole.
- statements that run when a module is imported (not definitions, not `if __name__ == ...`), in all
  modules that are imported on the way.
- `import_module`, `eval`, `exec`, `globals`, relative and star imports raise ValueError: what they
  reach would be missed in silence.

Not seen: third-party code (run.json has its versions), files that code reads (the fingerprint of
the data has those), and methods of objects that no definition on the way names.
"""

import ast
import hashlib
import json
import subprocess
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate
from pathlib import Path

from lib.paths import REPO

SCHEME = 1  # of the hash: to be raised where the text of a syntax tree is written in another way
UNSEEN = {"import_module", "__import__", "eval", "exec", "globals"}  # reach code by computed names
IMPORT, WHOLE = "(import)", "*"  # of a module, where others have a definition's name
UNPRINTED = {"ctx", "annotation", "returns", "type_comment", "type_params", "simple", "kind"}

Root = Callable | type | str  # a function, a class, or "lib.module:name"
Scope = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
Import = (ast.Import, ast.ImportFrom)
Assign = (ast.Assign, ast.AnnAssign)


@dataclass(eq=False)  # for `cache`, a module is one object, not what it holds
class Module:
    """A parsed file; `root` holds the lib/ that it imports. `bindings`: name -> the statements that
    bind it, IMPORT -> what runs when it is imported, besides definitions, WHOLE -> all of these;
    `imports`: name -> what of lib/ it stands for, dotted."""

    root: Path
    name: str
    bindings: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)


Definition = tuple[Module, str]


def identity(*roots: Root, **options) -> str:
    """16 hexadecimal digits over `definitions`: equal as long as the code does the same."""
    return of_definitions(definitions(*roots, **options))


def of_definitions(found: dict[str, str]) -> str:
    """What `identity` gives for these definitions: their names do not count."""
    return digest(sorted(set(found.values())))


def definitions(
    *roots: Root, settings: Collection[type] = (), ends: Collection[str] = (), root: Path = REPO
) -> dict[str, str]:
    """Every definition that `roots` run on, by its dotted name, with a hash of its own.

    The hash covers the definition's syntax tree and, of each definition that it names, the tree;
    not where any of them stands. settings: dataclasses of which the fields are left out, as their
    values are part of a configuration's hash. ends: modules that are not looked into, because
    what they give is checked otherwise or has no bearing. root: the folder that holds lib/.

    Raises ValueError for what cannot be followed (see the module's head).
    """
    starts = []
    for where, name in map(_named, roots):
        module = _module(root, where)
        if module is None or name not in module.bindings:
            raise ValueError(f"there is no {where}:{name} under {root}")
        starts.append((module, name))
    return _closure(starts, set(map(_named, settings)), ends)


def notebook_definitions(path: Path, ends: Collection[str] = ()) -> dict[str, str]:
    """`definitions` of a notebook's code cells, which count as one module."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    lines = [line for cell in code for line in cell.splitlines()
             if not line.lstrip().startswith(("%", "!"))]
    return _closure([(_parse(REPO, path.name, "\n".join(lines)), WHOLE)], (), ends)


def digest(value) -> str:
    """16 hexadecimal digits of SHA-256 over plain JSON values; the order of keys does not count."""
    text = json.dumps([SCHEME, value], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _named(one: Root) -> tuple[str, str]:
    """Module and name; a function made inside another stands for the one that made it."""
    if isinstance(one, str):
        return tuple(one.split(":"))
    return one.__module__, one.__qualname__.split(".")[0]


def _closure(waiting: list[Definition], settings: Collection[tuple[str, str]],
             ends: Collection[str]) -> dict[str, str]:
    """`definitions` from those that are `waiting` on."""

    def text(module: Module, name: str) -> str:
        without_fields = (module.name, name) in settings
        return "\n".join(_text_once(line, without_fields) for line in module.bindings[name])

    found, reached = {}, set(ends)
    while waiting:
        module, name = waiting.pop()
        key = f"{module.name}.{name}"
        if key not in found:
            targets = _targets(module, name)
            trees = sorted((local, text(*target)) for local, target in targets.items())
            found[key] = digest([text(module, name), trees])
            waiting += [target for target in targets.values() if target[0].name not in ends]
            waiting += [(one, IMPORT) for one in _imported(module, reached) if one.bindings[IMPORT]]
    return dict(sorted(found.items()))


@cache
def _targets(module: Module, name: str) -> dict[str, Definition]:
    """What the statements of a definition name, as it is written there."""
    found = {}
    for statement in module.bindings[name]:
        inside = _imports(statement, module.name)
        local = module.imports | inside
        for first, *attributes in _chains(statement, module.name):
            if first in module.bindings and first not in inside:
                if first != name and name != WHOLE:
                    found[first] = (module, first)
            elif first in local:
                chain = ".".join([first, *attributes])
                found[chain] = _follow(module.root, [*local[first].split("."), *attributes])
    return found


def _follow(root: Path, names: list[str]) -> Definition:
    """The definition that names with dots between them stand for."""
    module, rest = None, names
    while rest and (inner := _module(root, f"{module.name}.{rest[0]}" if module else rest[0])):
        module, rest = inner, rest[1:]
    if module is None:
        raise ValueError(f"there is no module {'.'.join(names)} under {root}")
    if not rest or rest[0].startswith("__"):
        return module, WHOLE
    if rest[0] in module.bindings:
        return module, rest[0]
    if rest[0] in module.imports:
        return _follow(root, [*module.imports[rest[0]].split("."), *rest[1:]])
    raise ValueError(f"{module.name} has no {rest[0]}, which something imports")


def _imported(module: Module, reached: set[str]) -> Iterator[Module]:
    """The modules that importing `module` executes, itself included, that were not `reached`."""
    if module.name not in reached:
        reached.add(module.name)
        yield module
        for dotted in (module.name, *module.imports.values()):
            for name in accumulate(dotted.split("."), "{}.{}".format):
                if one := _module(module.root, name):
                    yield from _imported(one, reached)


@cache
def _module(root: Path, name: str) -> Module | None:
    """The module of a dotted name, None where there is no such file."""
    stem = root.joinpath(*name.split("."))
    for path in (stem.with_suffix(".py"), stem / "__init__.py"):
        if path.is_file():
            return _parse(root, name, path.read_text(encoding="utf-8"))
    return None


def _parse(root: Path, name: str, text: str) -> Module:
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise ValueError(f"{name} is not valid Python: {error}") from None
    module, body = Module(root, name), []
    for k, statement in enumerate(tree.body):
        if _is_docstring(statement) and k == 0 or _is_skipped(statement):
            continue
        if not isinstance(statement, Scope):
            module.imports |= _imports(statement, name)
        names = _names_bound(statement)
        for bound in names:
            module.bindings.setdefault(bound, []).append(statement)
        if not (isinstance(statement, Import) or isinstance(statement, Scope + Assign) and names):
            body.append(statement)
    bound = [statement for its in module.bindings.values() for statement in its]
    module.bindings |= {IMPORT: body, WHOLE: bound + body}
    return module


def _is_docstring(statement: ast.stmt) -> bool:
    return (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            and isinstance(statement.value.value, str))


def _is_skipped(statement: ast.stmt) -> bool:
    """`if __name__ == "__main__":` and `if TYPE_CHECKING:` do not run on import."""
    return isinstance(statement, ast.If) and any(
        isinstance(node, ast.Name) and node.id in ("__name__", "TYPE_CHECKING")
        for node in ast.walk(statement.test)
    )


def _names_bound(statement: ast.stmt) -> list[str]:
    """The names that a statement, other than an import, binds where it stands."""
    if isinstance(statement, Scope):
        return [statement.name]
    parts = [statement]
    if isinstance(statement, Assign):
        parts = getattr(statement, "targets", None) or [statement.target]
    nodes = [node for part in parts for node in ast.walk(part)]
    names = [n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    return names + [node.name for node in nodes if isinstance(node, Scope)]


def _imports(statement: ast.stmt, where: str) -> dict[str, str]:
    """Local name -> what of lib/ an import within the statement makes it stand for."""
    found = {}
    for node in ast.walk(statement):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "lib":
                    found[alias.asname or "lib"] = alias.name if alias.asname else "lib"
        elif isinstance(node, ast.ImportFrom):
            if node.level or (node.module.split(".")[0] == "lib" and node.names[0].name == "*"):
                raise ValueError(f"{where}: a relative or star import cannot be followed")
            if node.module.split(".")[0] == "lib":
                found |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    return found


def _chains(node: ast.AST, where: str) -> Iterator[list[str]]:
    """Names that are read, each with the attributes behind it: `a.b.c` as [a, b, c]."""
    attributes, inner = [], node
    while isinstance(inner, ast.Attribute):
        attributes.insert(0, inner.attr)
        inner = inner.value
    if isinstance(inner, ast.Name):
        chain = [inner.id, *attributes]
        if chain[-1] in UNSEEN and chain[:-1] in ([], ["importlib"]):
            raise ValueError(f"{where}, line {node.lineno}: {ast.unparse(node)} reaches code by a "
                             "computed name, so a change there would not be seen")
        yield chain
        return
    for name, value in ast.iter_fields(inner):
        if name not in UNPRINTED:
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from _chains(child, where)


def _text(node, without_fields: bool = False, in_class: bool = False) -> str:
    """A syntax tree as text that is the same for code that does the same, in any Python version:
    without docstrings, annotations, imports, and fields that are empty."""
    if isinstance(node, list):
        parts = (_text(item, in_class=in_class) for item in node)
        return f"[{','.join(part for part in parts if part)}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    if isinstance(node, Import):
        return ""
    if isinstance(node, ast.AnnAssign) and not in_class:
        if node.value is None:
            return ""
        node = ast.Assign(targets=[node.target], value=node.value)
    fields = {name: value for name, value in ast.iter_fields(node)
              if name not in UNPRINTED and value is not None and value != []}
    if isinstance(node, Scope):
        body = node.body[1:] if _is_docstring(node.body[0]) else node.body
        if without_fields:
            body = [line for line in body if not isinstance(line, ast.AnnAssign)]
        fields["body"] = [line for line in body if not isinstance(line, ast.Pass)]
    inside = isinstance(node, ast.ClassDef)
    parts = (f"{name}={_text(value, in_class=inside)}" for name, value in sorted(fields.items()))
    return f"{type(node).__name__}({','.join(parts)})"


_text_once = cache(_text)  # many definitions are named by many others


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
