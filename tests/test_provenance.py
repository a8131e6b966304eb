"""Identities of code: what may change freely, and that no change that counts goes unseen."""

import ast
import json
import shutil
import subprocess
from dataclasses import replace

import pytest

from lib.paths import REPO
from lib.provenance import definitions, git_commit, identity, notebook_definitions
from lib.training.experiments import EXPERIMENTS, resolve
from lib.training.identity import MACHINERY, evaluation_code, training_code
from made_runs import edit, put

A = '''"""A module."""
from lib import tools
from lib.tools import scale as scaled

FACTOR = 2


def double(x: int) -> int:
    """Twice x."""
    from lib.late import offset
    return FACTOR * scaled(x) + offset()  # a comment


class Step:
    """A step."""

    size: int = 3

    def run(self):
        return tools.shift(self.size)


def unused():
    return 1
'''
TOOLS = '''def scale(x):
    return x


def shift(x):
    return helper(x)


def helper(x):
    return x + 1
'''


@pytest.fixture
def tree(tmp_path):
    """A small lib/: roots are lib.a:double and lib.a:Step."""
    put(tmp_path, {"lib/__init__.py": "", "lib/a.py": A, "lib/tools.py": TOOLS,
                     "lib/late.py": "def offset():\n    return 0\n"})
    return tmp_path


def of(root, *roots):
    """Read anew: what is parsed is kept for a root, so each state of a tree gets its own folder."""
    copy = root.with_name(f"{root.name}-{len(list(root.parent.iterdir()))}")
    shutil.copytree(root, copy)
    return identity(*(roots or ("lib.a:double", "lib.a:Step")), root=copy)


@pytest.mark.parametrize(("name", "old", "new"), [
    ("a.py", "  # a comment", "  # quite another comment\n"),
    ("a.py", '"""Twice x."""', '"""Two times x.\n\n    More.\n    """'),
    ("a.py", "x: int) -> int", "x: float) -> float"),
    ("a.py", "size: int = 3", "size: float = 3"),
    ("a.py", '"""A module."""', '"""Another title."""'),
    ("a.py", "def unused():\n    return 1", "def unused():\n    return 2"),
    ("a.py", "FACTOR * scaled(x) + offset()", "(FACTOR\n        * scaled(x)\n        + offset())"),
    ("tools.py", "def helper(x):", "# moved about\n\n\ndef helper(x):"),
])
def test_what_may_change_freely(tree, name, old, new):
    before = of(tree)
    edit(tree / "lib" / name, old, new)
    assert of(tree) == before


@pytest.mark.parametrize(("name", "old", "new"), [
    ("a.py", "FACTOR = 2", "FACTOR = 3"),
    ("a.py", "FACTOR * scaled(x)", "FACTOR + scaled(x)"),
    ("a.py", "size: int = 3", "size: int = 4"),
    ("a.py", "tools.shift(self.size)", "tools.scale(self.size)"),
    ("a.py", "from lib.tools import scale as scaled", "from lib.tools import helper as scaled"),
    ("tools.py", "return x + 1", "return x + 2"),
    ("tools.py", "def scale(x):\n    return x", "def scale(x):\n    return -x"),
    ("late.py", "return 0", "return 0.0"),
    ("late.py", "def offset", "print('imported')\n\n\ndef offset"),
    ("__init__.py", "", "import warnings\n\nwarnings.simplefilter('error')\n"),
])
def test_what_counts(tree, name, old, new):
    before = of(tree)
    edit(tree / "lib" / name, old, new)
    assert of(tree) != before


def test_a_definition_may_move_to_another_file(tree):
    before = of(tree)
    edit(tree / "lib/tools.py", "def helper(x):\n    return x + 1\n", "from lib.other import helper\n")
    put(tree, {"lib/other.py": "def helper(x):\n    return x + 1\n"})
    assert of(tree) == before


@pytest.mark.parametrize("code", [
    "from importlib import import_module\n\n\ndef double(x):\n    return import_module('lib.tools')",
    "import importlib\n\n\ndef double(x):\n    return importlib.import_module('lib.tools')",
    "def double(x):\n    return eval('x')",
    "from lib.tools import *\n\n\ndef double(x):\n    return scale(x)",
    "from .tools import scale\n\n\ndef double(x):\n    return scale(x)",
])
def test_what_cannot_be_followed_is_refused(tree, code):
    put(tree, {"lib/a.py": code})
    with pytest.raises(ValueError, match="computed name|cannot be followed"):
        of(tree, "lib.a:double")


def test_a_module_handed_over_counts_as_a_whole(tree):
    put(tree, {"lib/a.py": "from lib import tools\n\n\ndef double(x):\n    return dict(t=tools)\n"})
    before = of(tree, "lib.a:double")
    edit(tree / "lib/tools.py", "return x + 1", "return x + 2")
    assert of(tree, "lib.a:double") != before


def test_settings_leave_out_fields_but_not_methods(tree):
    names = {"root": tree}
    without = definitions("lib.a:Step", settings=[_Named("lib.a", "Step")], **names)
    assert without != definitions("lib.a:Step", **names)
    edit(tree / "lib/a.py", "size: int = 3", "size: int = 3\n    more: int = 0")
    copy = tree.with_name("more")
    shutil.copytree(tree, copy)
    assert definitions("lib.a:Step", settings=[_Named("lib.a", "Step")], root=copy) == without


class _Named:
    """Stands for a class that is only there as text."""

    def __init__(self, module, name):
        self.__module__, self.__qualname__ = module, name


# ---- the kit's own closures


CLOSURES = {
    "C5": training_code(resolve("C5", "test")),
    "GN_CycleGAN-FLIR": training_code(resolve("GN_CycleGAN-FLIR", "test")),
    "evaluation of faces": evaluation_code("sober_drunk"),
}


def roots_of(name):
    """What each closure begins with, as text, so that it can be asked for in a changed copy."""
    if name == "evaluation of faces":
        return ("lib.evaluation.judge:judge", "lib.evaluation.examples:choose_examples",
                "lib.data.faces:load_by_person")
    recipe = {"C5": "two_d_gan:TwoDGANRecipe", "GN_CycleGAN-FLIR": "cycle_gan:CycleGANRecipe"}[name]
    load = {"C5": "enhancement:load", "GN_CycleGAN-FLIR": "pairs:load_flir"}[name]
    return (f"lib.training.recipes.{recipe}", f"lib.data.{load}", "lib.training.engine:train")


@pytest.fixture(scope="module")
def copy_of_lib(tmp_path_factory):
    root = tmp_path_factory.mktemp("mutants")
    shutil.copytree(REPO / "lib", root / "lib", ignore=shutil.ignore_patterns("__pycache__"))
    return root


@pytest.mark.parametrize("name", CLOSURES)
def test_every_definition_of_a_closure_counts(name, copy_of_lib, monkeypatch):
    """One after the other is changed, and each time the identity is another one."""
    from lib import provenance

    roots, plain = roots_of(name), provenance._module
    before = identity(*roots, ends=MACHINERY, root=copy_of_lib)
    found = definitions(*roots, ends=MACHINERY, root=copy_of_lib)
    assert len(found) > 30
    for dotted in found:
        module, _, defined = dotted.rpartition(".")
        if defined in ("(import)", "*"):
            continue
        parsed = plain(copy_of_lib, module)
        bindings = parsed.bindings | {defined: [_mutated(s) for s in parsed.bindings[defined]]}
        changed = replace(parsed, bindings=bindings)
        monkeypatch.setattr(provenance, "_module", lambda root, name, module=module, changed=changed:
                            changed if name == module else plain(root, name))
        provenance._targets.cache_clear()
        assert identity(*roots, ends=MACHINERY, root=copy_of_lib) != before, dotted
    provenance._targets.cache_clear()


def _mutated(statement):
    """The statement with one thing more in it that could matter."""
    copy = ast.parse(ast.unparse(statement)).body[0]
    if isinstance(copy, (ast.FunctionDef, ast.ClassDef)):
        copy.body.append(ast.parse("mutated = 1").body[0])
        return copy
    copy.value = ast.Tuple([copy.value, ast.Constant(1)], ast.Load())
    return copy


def test_closures_hold_what_they_should_and_no_machinery():
    c5, evaluation = CLOSURES["C5"], CLOSURES["evaluation of faces"]
    for needed in ("losses.adversarial.gradient_penalty", "networks.two_d_gan.TwoDGAN",
                   "training.engine.train", "data.degradation.degrade",
                   "training.enhancement.EnhancementRecipe", "training.image_pool.ImagePool"):
        assert (f"lib.{needed}" in c5) == ("image_pool" not in needed)
    for needed in ("evaluation.inference.as_method", "data.tensors.to_bytes"):
        assert f"lib.{needed}" in evaluation
    assert "lib.metrics.ssim.ssim" in evaluation and "lib.metrics.ssim.ssim" not in c5
    assert "lib.data.synthetic.streets.scene" not in CLOSURES["GN_CycleGAN-FLIR"]
    for found in CLOSURES.values():
        assert not [name for name in found if name.startswith(("lib.results", "lib.figures"))]


def test_every_experiment_has_a_closure():
    for name in EXPERIMENTS:
        assert training_code(resolve(name, "test")) or EXPERIMENTS[name].weights_of


# ---- notebooks and commits


def test_a_notebooks_text_and_outputs_are_not_its_code(tmp_path):
    def of_cells(*cells):
        path = tmp_path / "a.ipynb"
        path.write_text(json.dumps({"cells": [{"cell_type": kind, "source": text, "outputs": []}
                                              for kind, text in cells]}))
        return notebook_definitions(path)

    code = ("code", ["%matplotlib inline\n", "!ls\n", "from lib.metrics import psnr\n", "psnr(1, 2)"])
    found = of_cells(("markdown", "# Title"), code)
    assert "lib.metrics.psnr.*" in found
    assert of_cells(("markdown", "# Another"), code) == found
    assert of_cells(("code", "from lib.metrics import psnr\npsnr(1, 3)")) != found


def git(root, *arguments):
    subprocess.run(["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
                   check=True, capture_output=True)


def test_the_commit_says_whether_code_differs(tmp_path):
    assert git_commit(tmp_path) == "unknown"
    put(tmp_path, {"lib/a.py": "x = 1\n", "README.md": "a"})
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    commit = git_commit(tmp_path)
    assert len(commit) == 12
    put(tmp_path, {"README.md": "b"})
    assert git_commit(tmp_path) == commit
    put(tmp_path, {"lib/a.py": "x = 2\n"})
    assert git_commit(tmp_path) == f"{commit}+changes"
    assert git_commit(tmp_path / "lib") == "unknown"  # a folder inside another repository
