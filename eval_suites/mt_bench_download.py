"""MT-Bench's files from upstream's repository, at one commit and by their checksums: always the same bytes."""

import hashlib
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import urlopen

from results.digest import file_digest
from results.errors import UserError

# The last commit of lm-sys/FastChat that this was written against. Its files are Apache-2.0.
COMMIT = "587d5cfa1609a43d192cedb8441cac3c17db105d"
SOURCE = f"https://raw.githubusercontent.com/lm-sys/FastChat/{COMMIT}/fastchat/llm_judge/data"
TIMEOUT_SECONDS = 60.0
LARGEST = 4 * 1024 * 1024  # bytes; the largest has fifty thousand


class File(NamedTuple):
    """Where a file lies below SOURCE, and its sha256."""

    place: str
    sha256: str


# By the names that the files get here.
FILES = {
    "question.jsonl": File(
        "mt_bench/question.jsonl", "119565adbab82227089cefdb44c8d7e2cf04dc0a0ec233634c82e7d4e2a944f7"
    ),
    "judge_prompts.jsonl": File(
        "judge_prompts.jsonl", "fd283293406d024f44c174b094ef48031d0687a4682fd3a56b29b138f80281b6"
    ),
    "reference_answer/gpt-4.jsonl": File(
        "mt_bench/reference_answer/gpt-4.jsonl", "f957a5bc977badb66885ec970e6cd08527845780313f0995764260e5777b9b3f"
    ),
}


def download(folder: Path, source: str | None = None) -> None:
    """Puts FILES into a folder; one that is there and whole is not fetched again.

    source: a mirror with upstream's layout (http, https or file); None is upstream itself
    Raises UserError where a file cannot be fetched or is not the expected one.
    """
    source = source or SOURCE
    for name, (place, sha256) in FILES.items():
        target = folder / name
        if target.is_file() and file_digest(target) == sha256:
            continue
        content = _fetch(f"{source}/{place}")
        found = hashlib.sha256(content).hexdigest()
        if found != sha256:
            raise UserError(f"{source}/{place}: its sha256 is {found}, and {sha256} was expected: it is not used")
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f"{target.name}.new")
        fresh.write_bytes(content)
        fresh.replace(target)


def _fetch(url: str) -> bytes:
    try:
        with urlopen(url, timeout=TIMEOUT_SECONDS) as reply:
            content: bytes = reply.read(LARGEST + 1)
    except HTTPError as error:
        raise UserError(f"{url}: the server answers with HTTP {error.code}") from None
    except (OSError, HTTPException) as error:  # URLError among them, and what a broken connection raises
        raise UserError(
            f"{url}: cannot be fetched ({error}); without a network, name local copies of the files in the profile"
        ) from None
    if len(content) > LARGEST:
        raise UserError(f"{url}: more than {LARGEST} bytes, which none of MT-Bench's files has")
    return content
