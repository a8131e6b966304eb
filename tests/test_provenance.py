import json
import subprocess

import pytest

from lib.paths import REPO
from lib.provenance import code_hash, git_commit, module_closure, notebook_hash


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def names(root, target):
    return [path.relative_to(root).as_posix() for path in module_closure(target, root)]


def notebook(*cells):
    return json.dumps({"cells": [{"cell_type": kind, "source": source, "outputs": []}
                                 for kind, source in cells]})


@pytest.fixture
def tree(tmp_path):
    write(tmp_path, {
        "lib/__init__.py": "",
        "lib/a.py": "import json\nimport lib.b\n",
        "lib/b.py": "def late():\n    from lib.pack import c, NAME\n",
        "lib/pack/__init__.py": "from lib.pack import base\n",
        "lib/pack/base.py": "import lib.a  # a circle is no trouble\n",
        "lib/pack/c.py": "from lib.training.experiments import TABLE\n",
        "lib/pack/other.py": "",
        "lib/training/experiments.py": "import lib.unused\n",
        "lib/training/profiles.py": "",
        "lib/unused.py": "",
        "libra.py": "",
    })
    return tmp_path


def test_closure_follows_every_kind_of_import_and_circles(tree):
    assert names(tree, "lib.a") == [
        "lib/__init__.py", "lib/a.py", "lib/b.py", "lib/pack/__init__.py", "lib/pack/base.py",
        "lib/pack/c.py"]


def test_closure_leaves_out_settings_and_what_only_they_import(tree):
    write(tree, {"lib/main.py": "import lib.training.experiments, lib.training.profiles\n"})
    assert names(tree, "lib.main") == ["lib/__init__.py", "lib/main.py"]


def test_closure_of_a_notebook_reads_code_cells_only(tree):
    path = tree / "n.ipynb"
    path.write_text(notebook(
        ("markdown", "import lib.b"),
        ("code", ["%matplotlib inline\n", "!ls\n", "import libra\n", "from lib import unused\n"])))
    assert names(tree, path) == ["lib/__init__.py", "lib/unused.py"]


def test_closure_names_what_it_cannot_read(tree):
    with pytest.raises(FileNotFoundError, match="lib.nowhere"):
        module_closure("lib.nowhere", tree)
    write(tree, {"lib/broken.py": "def (:\n"})
    with pytest.raises(ValueError, match="broken.py is not valid Python"):
        module_closure("lib.broken", tree)


def test_code_hash_depends_on_names_and_bytes_only(tree):
    files = module_closure("lib.a", tree)
    first = code_hash(files, tree)
    assert len(first) == 64 and first == code_hash(reversed(files), tree)
    write(tree, {"lib/a.py": "import json\nimport lib.b\n# a comment\n"})
    assert code_hash(files, tree) != first
    moved = {"x.py": "one", "y.py": "two"}, {"x.py": "two", "y.py": "one"}
    hashes = set()
    for files in moved:
        write(tree, files)
        hashes.add(code_hash([tree / name for name in files], tree))
    assert len(hashes) == 2


def test_code_hash_cannot_mistake_a_name_for_content(tree):
    write(tree, {"p": "", "q": "r", "pq": "r"})
    assert code_hash([tree / "p", tree / "q"], tree) != code_hash([tree / "pq"], tree)


def test_notebook_hash_ignores_outputs(tmp_path):
    path = tmp_path / "n.ipynb"
    cells = [{"cell_type": "code", "source": ["1 +\n", "1"], "outputs": []}]
    path.write_text(json.dumps({"cells": cells}))
    first = notebook_hash(path)
    cells[0] |= {"outputs": ["2"], "execution_count": 3, "source": "1 +\n1"}
    path.write_text(json.dumps({"cells": cells, "metadata": {"papermill": 1}}))
    assert notebook_hash(path) == first
    cells[0]["cell_type"] = "markdown"
    path.write_text(json.dumps({"cells": cells}))
    assert notebook_hash(path) != first


def test_git_commit_names_the_commit_and_tells_changed_code(tmp_path):
    def git(*arguments):
        return subprocess.run(
            ["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments],
            check=True, capture_output=True, text=True).stdout.strip()

    assert git_commit(tmp_path) == "unknown"  # no repository
    git("init", "-q")
    assert git_commit(tmp_path) == "unknown"  # no commit
    write(tmp_path, {"lib/a.py": "", "notebooks/n.ipynb": "", "Snakefile": "", "README.md": ""})
    git("add", ".")
    git("commit", "-q", "-m", "first")
    commit = git("rev-parse", "HEAD")[:12]
    assert git_commit(tmp_path) == commit
    write(tmp_path, {"README.md": "not code", "lib/untracked.py": ""})
    assert git_commit(tmp_path) == commit
    write(tmp_path, {"lib/a.py": "code"})
    assert git_commit(tmp_path) == f"{commit}+changes"
    assert git_commit(tmp_path / "lib") == "unknown"  # a folder inside another repository


def test_closure_of_this_very_module_is_small_and_right():
    assert [path.relative_to(REPO).as_posix() for path in module_closure("lib.provenance")] == [
        "lib/__init__.py", "lib/paths.py", "lib/provenance.py"]
