"""Run one notebook in this process's environment and show what it prints while it runs.

    python -m lib.running.run_notebook NOTEBOOK OUT.ipynb -p seed 0 -r data ../data --label "11_train C5"

The executed copy is written while the notebook runs and stays, traceback included, if it fails.
"""

import argparse
import json
import logging
import os
import re
import signal
import sys
import tempfile
import threading
import time
from datetime import datetime, timezone
from pathlib import Path

import psutil

from lib.files import write_text

PROGRESS_EVERY = 10  # seconds between two states of a bar that redraws its line
GRACE = 9  # seconds a stopped notebook has for writing where it stands


class PrefixedLines:
    """A text stream that passes whole lines on to `stream`, each behind `[label]`.

    A bar that redraws its line (`\\r`) gives at most one line in PROGRESS_EVERY seconds.
    """

    def __init__(self, label: str, stream):
        self.label, self.stream = label, stream
        self.rest, self.last_redrawn = "", -PROGRESS_EVERY

    def write(self, text: str) -> None:
        *lines, self.rest = re.split(r"(?<=[\r\n])", (self.rest + text).replace("\r\n", "\n"))
        for line in lines:
            if line.endswith("\r"):
                if time.monotonic() - self.last_redrawn < PROGRESS_EVERY:
                    continue
                self.last_redrawn = time.monotonic()
            if line.strip():
                self.stream.write(f"[{self.label}] {line.rstrip()}\n")

    def flush(self) -> None:
        self.stream.flush()

    def close(self) -> None:
        """Pass on a last line that has no line end."""
        self.write("\n")
        self.flush()


def run(notebook: Path, executed: Path, parameters: dict, label: str) -> None:
    """Execute `notebook` with papermill into `executed`; papermill's errors go to the caller."""
    with tempfile.TemporaryDirectory(prefix="run_notebook_") as folder:
        isolate_jupyter(Path(folder))
        # jsonschema's optional checker of international addresses compiles its grammar for a second
        # when it is imported; a notebook's format has none of them
        sys.modules["rfc3987_syntax"] = None
        import papermill  # reads Jupyter's settings from the environment when it is imported
        from traitlets.config import Config

        logging.getLogger("papermill").setLevel(logging.ERROR)

        executed.parent.mkdir(parents=True, exist_ok=True)
        out, err = PrefixedLines(label, sys.stdout), PrefixedLines(label, sys.stderr)
        config = Config()
        config.KernelManager.transport_encryption = "auto"
        # a kernel that has run its last cell has nothing left to do, but needs a second to unload
        # PyTorch and its CUDA libraries one by one
        config.PapermillNotebookClient.shutdown_kernel = "immediate"
        try:
            papermill.execute_notebook(
                notebook, executed, parameters, kernel_name="python3", cwd=notebook.parent,
                progress_bar=False, stdout_file=out, stderr_file=err, autosave_cell_every=30,
                config=config)
        finally:
            out.close()
            err.close()


def isolate_jupyter(folder: Path) -> None:
    """Make the kernel called python3 this very interpreter, whatever else is installed here.

    $JUPYTER_PATH is searched first, so a kernel of that name in the user's home cannot come
    between. Connection files and IPython's history also go to `folder`, which is ours alone.
    """
    from ipykernel.kernelspec import write_kernel_spec

    (folder / "kernels").mkdir()
    write_kernel_spec(folder / "kernels" / "python3", extra_arguments=["--log-level=CRITICAL"])
    os.environ.update(JUPYTER_PATH=str(folder), JUPYTER_RUNTIME_DIR=str(folder / "runtime"),
                      IPYTHONDIR=str(folder / "ipython"), PYDEVD_DISABLE_FILE_VALIDATION="1")


def stop_on_signals() -> threading.Event:
    """Let Ctrl-C and SIGTERM interrupt the notebook, and end with the process that started us.

    The kernel is interrupted first, so that a training run can still write where it stands, and
    killed with this process if it has not ended GRACE seconds later. Returns the event that is
    set once a signal has come.
    """
    stopped = threading.Event()
    parent = os.getppid()

    def end() -> None:
        for child in psutil.Process().children(recursive=True):
            child.kill()
        os._exit(130)

    def interrupt_then_end() -> None:
        for _ in range(GRACE // 3):  # again and again: a kernel between two cells hears nothing
            for child in psutil.Process().children():
                child.send_signal(signal.SIGINT)
            time.sleep(3)
        end()

    def stop(*_) -> None:
        if not stopped.is_set():
            stopped.set()
            threading.Thread(target=interrupt_then_end, daemon=True).start()

    def end_with_parent() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        end()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    threading.Thread(target=end_with_parent, daemon=True).start()
    return stopped


def write_stamp(path: Path, notebook: Path, seconds: float) -> None:
    """Record that `notebook` ran through: the file Snakemake waits for, whole or not there."""
    now = datetime.now(timezone.utc).isoformat(timespec="microseconds")
    stamp = {"notebook": notebook.name, "seconds": round(seconds, 1), "finished": now}
    write_text(path, json.dumps(stamp) + "\n")


def parse_value(text: str) -> int | float | bool | str:
    """A number or truth value where `text` is one in JSON, else the text itself."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, (int, float, bool)) else text


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lib.running.run_notebook", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebook", type=Path)
    parser.add_argument("executed", type=Path, help="where the executed copy is written")
    parser.add_argument("-p", nargs=2, action="append", default=[], metavar=("KEY", "VALUE"),
                        help="a parameter; numbers, true and false are read as such")
    parser.add_argument("-r", nargs=2, action="append", default=[], metavar=("KEY", "TEXT"),
                        help="a parameter that is text, whatever it looks like")
    parser.add_argument("--label", help="stands before each printed line; default: the name")
    parser.add_argument("--stamp", type=Path, help="a file to write once the notebook ran through")
    parser.add_argument("--writes", type=Path, nargs="*", default=[],
                        help="files the notebook must have written by then")
    given = parser.parse_args(arguments)
    if not given.notebook.is_file():
        parser.error(f"there is no notebook {given.notebook}")
    label = given.label or given.notebook.stem
    parameters = {key: parse_value(value) for key, value in given.p} | dict(given.r)

    stopped = stop_on_signals()
    start = time.monotonic()
    failure = None
    try:
        run(given.notebook.resolve(), given.executed.resolve(), parameters, label)
    except Exception as error:
        failure = last_line(error)
    if stopped.is_set():
        return 130
    if missing := [path for path in given.writes if not path.is_file()]:
        failure = failure or f"it ran through but did not write {missing[0]}"
    if failure:
        print(f"[{label}] FAILED: {failure}", file=sys.stderr)
        if given.executed.is_file():
            print(f"[{label}] the executed copy, with any traceback: {given.executed.resolve()}",
                  file=sys.stderr)
        return 1
    if given.stamp:
        write_stamp(given.stamp, given.notebook, time.monotonic() - start)
    return 0


def last_line(error: Exception) -> str:
    """What went wrong in one line, as the last line of a traceback gives it."""
    from papermill.exceptions import PapermillExecutionError

    name, text = ((error.ename, error.evalue) if isinstance(error, PapermillExecutionError)
                  else (type(error).__name__, str(error)))
    return f"{name}: {text}".strip().splitlines()[0]


if __name__ == "__main__":
    sys.exit(main())
