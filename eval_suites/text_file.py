"""Texts of the user's: UTF-8, gzipped where the name says so."""

import gzip
import zlib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from results.errors import UserError

Model = TypeVar("Model", bound=BaseModel)


def read_text(path: Path) -> str:
    """The whole text, without a byte order mark. Raises UserError, with the path, where there is none."""
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if path.suffix.lower() == ".gz" else data).decode("utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise UserError(f"{path}: a file is wanted, and this is a folder") from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise UserError(f"{path}: not a whole gzip file, as its name says it is") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (at byte {error.start})") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None


def read_model(path: Path, model: type[Model], what: str) -> Model:
    """A file of JSON as typed data. Raises UserError, with the place, where it is not `what` it should be."""
    try:
        return model.model_validate_json(read_text(path))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise UserError(f"{path}: not {what} ({where}: {first['msg']})") from None
