"""Data sets of the Hugging Face Hub: `owner/name`, or `owner/name@revision`, as a folder of the cache."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from safeeraser.errors import UserError
from safeeraser.files import cache_folder, real
from safeeraser.text import line

PART = r"forget_?\d+"
"""How the parts to forget of some sources are called; one may end a path."""

_ID = re.compile(rf"(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+?))?(?P<part>/{PART})?")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def located(path: Path, files: Sequence[str]) -> tuple[Path, str]:
    """The folder of a source, and what to call it: a local folder, or a Hub data set whose `files` are fetched once.

    `files` are patterns. A fetched revision is called `owner/name@commit` and stays in the cache under its commit, so
    a revision given as a commit needs no network the second time. A part such as `/forget_10` at the end of the path
    is kept.

    Raises UserError where the path is no folder and the Hub has no such data set, or cannot be reached.
    """
    match = None if path.exists() or path.parent.is_dir() else _ID.fullmatch(path.as_posix())
    if match is None or path.is_absolute():
        *_, folder, name = "", *real(path).parts
        return path, f"{folder}/{name}" if re.fullmatch(PART, name) else name
    commit = _commit(match["repo"], match["revision"])
    fetched = cache_folder() / "hub" / match["repo"].replace("/", "--") / commit
    if not fetched.is_dir():
        _fetch(match["repo"], commit, files, fetched)
    part = match["part"] or ""
    return fetched / part.lstrip("/"), f"{match['repo']}@{commit[:12]}{part}"


def _commit(repo: str, revision: str | None) -> str:
    from huggingface_hub import HfApi  # noqa: PLC0415 - slow to import, and only needed here

    if revision is not None and _COMMIT.fullmatch(revision):
        return revision
    try:
        found = HfApi().dataset_info(repo, revision=revision).sha
    except (OSError, ValueError) as error:
        raise UserError(_explain(repo, error)) from error
    if found is None:
        raise UserError(f"{repo}: the Hub names no commit for {revision or 'its main branch'}")
    return found


def _fetch(repo: str, commit: str, files: Sequence[str], folder: Path) -> None:
    """Download into a folder beside the final one: a download that was stopped goes on, a half one is never read."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415

    partial = folder.with_name(f"{commit}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{commit}.lock")):
        if folder.is_dir():
            return
        try:
            snapshot_download(repo, repo_type="dataset", revision=commit, local_dir=partial, allow_patterns=list(files))
        except (OSError, ValueError) as error:
            raise UserError(_explain(repo, error)) from error
        partial.rename(folder)


def _explain(repo: str, error: Exception) -> str:
    reason = line(str(error))[:300]
    return f"{repo}: neither a folder here nor a data set that could be fetched from the Hugging Face Hub: {reason}"
