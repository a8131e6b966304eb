"""Fetch data sets into the layout of data/README.md.

    python -m lib.data.download sober_drunk roadscene --data DIR

Without a name, lists what there is. What data/sources.yaml knows of an archive or a file is
checked: its commit, or each file's SHA-256. What it does not know is trusted at the first download
and recorded, file by file, in `downloads.json` of the data root; a later one has to bring the same.

A set appears in the data root when all of it was fetched, unpacked and read. Until then it is kept
in `.downloads`: the same command goes on from there, an archive that broke off starts again.
"""

import argparse
import hashlib
import io
import json
import os
import shlex
import shutil
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from urllib.parse import quote, urlsplit

import pooch
import requests
from PIL import Image, ImageOps
from tqdm import tqdm
from tqdm.contrib.concurrent import thread_map

from lib.data import check, sources
from lib.data.sources import Origin, Part
from lib.files import only_one, sha256, write_text
from lib.paths import data_root

RETRIES = 3  # of one address, after 1, 2 and 3 s
AT_ONCE = 4  # files that are fetched one by one
QUALITY = 93  # of the JPEG that a centre square is written as

Found = Iterator[tuple[str, bytes]]  # where a file goes in the folder, and its content


class Gone(ConnectionError):
    """The address is not there."""


class Unusable(ValueError):
    """What was fetched is not what it should be, and is fetched anew the next time."""


def download(origin: Origin, root: Path, agreed: bool, given: Path | None = None) -> bool:
    """Fetch a data set into the data root, or say what is there. Returns whether all of it is.

    agreed: to a licence that restricts use. given: the archive, where a person fetched it. Raises
    OSError or ValueError; then nothing has changed but for what `.downloads` keeps.
    """
    print(f"{origin.name}: {origin.title}\n  from     {origin.page}\n  licence  {origin.licence}\n"
          f"  size     {origin.size}")
    folder = root / origin.folder
    there = folder.is_dir()
    if there:
        print(f"{folder} is there already: move it away to fetch it anew")
    elif origin.parts and (given or not origin.steps):
        if not agreed and not origin.free:
            told = ""
            with suppress(EOFError):  # Ctrl-D
                told = input("Do you agree to it? [y/N] ") if sys.stdin.isatty() else ""
            if told.lower() not in ("y", "yes"):
                raise PermissionError("the licence was not agreed to, nothing was fetched; --yes "
                                      "agrees to it")
        with only_one(root / ".downloads" / "lock", f"another download into {root} is running"):
            _install(origin, root, given)
    else:
        print(origin.steps.replace("{data}", shlex.quote(str(root))), end="")
    if there or not folder.is_dir():  # nothing was fetched
        if not check.report(root, [origin.folder]) or not there:
            return False
    complete = True
    for name, least in origin.holds.items():
        count = sum(path.is_file() for path in (folder / name).rglob("*"))
        print(f"{folder / name}: {count} files" + f" of at least {least}" * (count < least))
        complete &= count >= least
    return complete


def _install(origin: Origin, root: Path, given: Path | None) -> None:
    """Fetch, unpack, check, and only then move into the data root.

    Raises Unusable also where an earlier download of the same set brought something else.
    """
    work = root / ".downloads" / origin.name
    work.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=work) as staging:
        staged = Path(staging, origin.folder)
        record, known = _stage(origin, work, staged, given), sources.recorded(root)
        before = known.get(origin.folder, record)
        odd = {name for name, _ in record["fetched"].items() ^ before["fetched"].items()}
        wrong = [f"what was fetched is not usable: {problem}"
                 for problem in check.examine(Path(staging), origin.folder).problems]
        if odd:
            wrong = [f"{min(odd)} is not what the download of {before['date']} brought; to take "
                     f"it and {len(odd) - 1} others, move downloads.json away"]
        if not wrong:
            write_text(root / "downloads.json",
                       json.dumps(known | {origin.folder: record}, indent=1))
            os.replace(staged, root / origin.folder)
    shutil.rmtree(work)
    if wrong:
        raise Unusable(wrong[0])


def _stage(origin: Origin, work: Path, staged: Path, given: Path | None) -> dict:
    """Fetch all parts and lay out their files in `staged`. Returns what there is to record."""
    fetched, about = {}, []
    for k, part in enumerate(origin.parts):
        place = work / f"{k}-{part.commit or 'archive'}"
        source: dict[str, str] = {"from": part.archive or part.each, "commit": part.commit}
        if part.each:
            found = _one_by_one(part, place)
        else:
            file = given or _get(part.archive, place / "archive.zip")
            found = _archive(origin, part, file, source)
        try:
            for name, content in found:
                if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                    raise Unusable(f"an archive has the path {name}, which leads elsewhere")
                if name in fetched:
                    raise Unusable(f"two files of {source['from']} would be {name}")
                fetched[name] = hashlib.sha256(content).hexdigest()
                (staged / name).parent.mkdir(parents=True, exist_ok=True)
                (staged / name).write_bytes(_square(content, name, origin.square))
        except Unusable:
            shutil.rmtree(place, ignore_errors=True)
            raise
        about.append(source)
    if layout := sources.LAYOUTS.get(origin.folder):
        visible, infrared = ({path.stem for path in (staged / half).glob("*")}
                             for half in (layout.visible, layout.infrared))
        single = [path for path in staged.rglob("*.*") if path.stem not in visible & infrared]
        for path in single:
            path.unlink()
        if single:
            print(f"{len(single)} images without the other half of their pair are left out")
    names = sorted(path.relative_to(staged).as_posix() for path in staged.rglob("*.*"))
    return {
        "date": str(date.today()),
        "sources": about,
        "fetched": {name: fetched[name] for name in names},
        "files": {name: sha256(staged / name) for name in names},
    }


def _get(url: str, path: Path, show: bool = True) -> Path:
    """The file behind an address, at `path`; not fetched again where it is there."""
    one = pooch.create(path=path.parent, base_url="", urls={path.name: url},
                       registry={path.name: None}, retry_if_failed=RETRIES)
    bar = tqdm(desc=url, total=1, unit="B", unit_scale=True, disable=not show)
    fetcher = pooch.HTTPDownloader(progressbar=show and bar, chunk_size=1 << 16, timeout=60)
    try:
        with bar:
            return Path(one.fetch(path.name, downloader=fetcher))
    except requests.HTTPError as error:
        status = error.response.status_code
        kind = Gone if status in (404, 410) else ConnectionError
        raise kind(f"{url}: the server answers {status} {error.response.reason}") from None
    except requests.exceptions.ChunkedEncodingError:
        raise ConnectionError(f"{url} broke off; the same command tries again") from None
    except requests.RequestException as error:
        raise ConnectionError(f"{urlsplit(url).netloc} cannot be reached ({type(error).__name__}); "
                              "the same command tries again") from None


def _one_by_one(part: Part, place: Path) -> Found:
    def fetch(path: str) -> Path | None:
        with suppress(Gone):
            return _get(part.each + quote(path), place / path, show=False)

    wanted = part.wanted()
    files = thread_map(fetch, wanted, max_workers=AT_ONCE, desc=part.each)
    for path, file in zip(wanted, files, strict=True):
        if file:
            yield wanted[path], file.read_bytes()
        else:
            print(f"{part.each}{path} is gone at its source and left out")


def _archive(origin: Origin, part: Part, file: Path, source: dict[str, str]) -> Found:
    """What is wanted of an archive. Adds to `source` what the archive says and is."""
    wanted, name_of = part.wanted(), {of: name for name, of in origin.sha256.items()}
    by_path = bool(wanted or part.take)
    try:
        with zipfile.ZipFile(file) as archive:
            # `git archive` writes the commit there, and puts all into one folder
            source["commit"] = archive.comment.decode(errors="replace") or part.commit
            source["sha256"] = sha256(file)
            if not source["commit"].startswith(part.commit):
                raise Unusable(f"{part.archive} is of commit {source['commit']}")
            for member in archive.infolist():
                path = member.filename.split("/", bool(part.commit))[-1]
                name = wanted.pop(path, None) or part.target(path)
                if member.is_dir() or by_path and not name:
                    continue
                content = archive.read(member)
                if not by_path:
                    name = name_of.pop(hashlib.sha256(content).hexdigest(), None)
                if name:
                    yield name, content
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:  # a password is asked
        raise Unusable(f"{part.archive}: no whole ZIP archive ({error})") from None
    for path in wanted:
        print(f"{path} is not in {part.archive} and left out")
    if name_of and not by_path:
        raise Unusable(f"{part.archive}: no file has the published SHA-256 of "
                       f"{min(name_of.values())} ({len(name_of)} such files)")


def _square(content: bytes, name: str, size: int) -> bytes:
    """The centre square as JPEG, as our own copy of ImageNet-5504 has them; size 0: unchanged."""
    if not size:
        return content
    try:
        with Image.open(io.BytesIO(content)) as image:
            square = ImageOps.fit(image.convert("RGB"), (size, size), Image.Resampling.LANCZOS)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise Unusable(f"{name} as fetched cannot be read as an image: {error}") from None
    written = io.BytesIO()
    square.save(written, "JPEG", quality=QUALITY)
    return written.getvalue()


def main(arguments: list[str] | None = None) -> int:
    origins = sources.read()
    parser = argparse.ArgumentParser(prog="python -m lib.data.download",
                                     description=__doc__.splitlines()[0],
                                     epilog=f"The data sets: {', '.join(origins)}.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="without: list what there is")
    parser.add_argument("--data", help="data root; default $IR_DATA, else data/")
    parser.add_argument("--yes", action="store_true", help="agree to licences that restrict use")
    parser.add_argument("--from", dest="given", type=Path, metavar="FILE",
                        help="the archive of the one NAME, fetched by hand")
    args = parser.parse_args(arguments)
    if unknown := [name for name in args.names if name not in origins]:
        parser.error(f"unknown data set {unknown[0]!r}; there are {', '.join(origins)}")
    if args.given and (len(args.names) != 1 or len(origins[args.names[0]].parts) != 1):
        parser.error("--from takes one NAME that is one archive")
    if args.given and not args.given.is_file():
        parser.error(f"there is no file {args.given}")
    try:
        root = data_root(args.data)
    except FileNotFoundError as error:
        parser.error(str(error))
    pooch.get_logger().setLevel("ERROR")
    for origin in () if args.names else origins.values():
        print(f"{origin.name:12} {origin.title}\n{'':12} {origin.licence}\n{'':12} {origin.size}")
    complete = True
    for name in args.names:
        try:
            complete &= download(origins[name], root, args.yes, args.given)
        except (OSError, ValueError) as error:
            print(f"{name}: {error}", file=sys.stderr)
            complete = False
        except KeyboardInterrupt:
            print("stopped; the same command goes on from there", file=sys.stderr)
            return 130
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
