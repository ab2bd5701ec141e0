"""Tasks of one's own for lm-eval: a folder of YAML files that name their item files as `${FOLDER}/items.jsonl`."""

from pathlib import Path

from results.errors import UserError

FOLDER_PLACEHOLDER = "${FOLDER}"  # lm-eval finds no file relative to a task, so the folder is filled in for each run


def task_folder(tasks: Path, out: Path) -> Path:
    """Makes in `out` a folder for lm-eval's `include_path`, whose tasks read the items in folder `tasks`.

    Raises UserError where `tasks` holds no task.
    """
    files = sorted(tasks.glob("*.yaml"))
    if not files:
        raise UserError(f"{tasks}: no lm-eval task here; a folder with *.yaml files is wanted")
    for file in files:
        text = file.read_text(encoding="utf-8").replace(FOLDER_PLACEHOLDER, str(tasks.resolve()))
        (out / file.name).write_text(text, encoding="utf-8")
    return out
