"""Which figures of scores a study has: over the learning rate, boards against the main score, length against score."""

from collections.abc import Mapping

from results.digest import Json
from results.leaderboard import Leaderboard
from results.page.by_rate import rate_figure
from results.page.figure import Figure, column_name
from results.page.scatter import scatter

BOARDS = 3  # figures of one kind


def score_figures(board: Leaderboard) -> dict[str, list[Figure]]:
    """The figures by their section; a section without data has none."""
    return {"rates": _rates(board), "forgetting": _forgetting(board), "length": _length(board)}


def _rates(board: Leaderboard) -> list[Figure]:
    if board.main is None:
        return []
    return [figure for index in (board.main, *_boards(board)) if (figure := rate_figure(board, index))]


def _forgetting(board: Leaderboard) -> list[Figure]:
    if board.main is None:
        return []
    main = board.columns[board.main]
    better = "Left" if main.higher_is_better is False else "Right"
    caption = f"{better}: better at {column_name(main)}; down: worse on the board. Dashed: the untrained base."
    found = []
    for index in _boards(board):
        title = f"{column_name(board.columns[index])} against {column_name(main)}"
        if figure := scatter(board, board.main, index, title, caption):
            found.append(figure)
    return found


def _length(board: Leaderboard) -> list[Figure]:
    if board.main is None:
        return []
    main = board.columns[board.main]
    role = _roles(board).get("length")
    index = next(
        (
            i
            for i, column in enumerate(board.columns)
            if column.name == role or (not role and column.unit == "characters" and column.suite == main.suite)
        ),
        None,
    )
    if index is None or index == board.main:
        return []
    figure = scatter(
        board,
        index,
        board.main,
        f"{column_name(main)} against the length of answers",
        "A score that rises with length alone says something about the judge.",
    )
    return [figure] if figure else []


def _boards(board: Leaderboard) -> list[int]:
    """The columns that stand for what a model knew before: those that play the boards' roles, else shown ones in
    percent of other suites than the main one's."""
    roles = [_roles(board).get(role) for role in ("old-board", "new-board")]
    mapped = [i for role in roles for i, column in enumerate(board.columns) if role and column.name == role]
    if mapped:
        return list(dict.fromkeys(mapped))[:BOARDS]
    main = None if board.main is None else board.columns[board.main].suite
    other = [
        i
        for i in board.shown
        if board.columns[i].suite != main and board.columns[i].unit == "percent" and board.columns[i].higher_is_better
    ]
    return other[:BOARDS]


def _roles(board: Leaderboard) -> Mapping[str, Json]:
    return _mapping(board.profile.spec.get("claims"))


def _mapping(written: Json) -> Mapping[str, Json]:
    return written if isinstance(written, Mapping) else {}
