"""A kind of task that lm-eval lacks: conversations of several turns. A task's file names it, and lm-eval imports it."""

from collections.abc import Callable
from typing import Any

from lm_eval.api.task import ConfigurableTask  # type: ignore[import-untyped]

from results.errors import UserError


class TurnsTask(ConfigurableTask):  # type: ignore[misc]
    """Every document's `messages` (role, content) are the prompt, through the chat template; the last is the user's."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config={key: value for key, value in config.items() if key != "class"})

    def fewshot_context(
        self, doc: dict[str, Any], *_: Any, chat_template: Callable[..., str] | None = None, **__: Any
    ) -> str:
        """The whole prompt. Raises UserError without a chat template: the turns of plain text have no marks."""
        if chat_template is None:
            raise UserError(
                f"{self.task_name} has conversations: ask it through the chat template, not with chat: false"
            )
        return chat_template([{"role": each["role"], "content": each["content"]} for each in doc["messages"]])
