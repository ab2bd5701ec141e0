"""Money: what tokens cost, what was paid, and a cap that is kept while several things are asked at once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from results.errors import UserError

# Tokens a character of a prompt, where nothing was measured: the rule of thumb of four characters a token.
TOKENS_PER_CHARACTER = 0.25
_ROUNDING = 1e-9  # dollars: a sum of many prices is not exact


@dataclass(frozen=True)
class Prices:
    """Dollars for a million tokens read (`input`) and written (`output`)."""

    input: float
    output: float

    def usd(self, prompt_tokens: float, completion_tokens: float) -> float:
        """The price of these tokens."""
        return (prompt_tokens * self.input + completion_tokens * self.output) / 1e6


@dataclass(frozen=True)
class Payment:
    """One reply that the endpoint had to make, whether it could be used or not.

    Tokens are None where the endpoint did not say them; `usd` is then an estimate. It is None where there is no price.
    `address` is that of JudgeIdentity: who is paid is known by it and the model's name.
    """

    model: str
    prompt_tokens: int | None
    completion_tokens: int | None
    usd: float | None
    address: str | None = None


@dataclass(frozen=True)
class Spent:
    """A sum of payments.

    uncounted: those of which the tokens are not known; they add none here, and an estimate to `usd`
    unpriced:  those of which the price is not known; they add nothing to `usd`
    """

    payments: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0
    uncounted: int = 0
    unpriced: int = 0

    def __str__(self) -> str:
        notes = [f"{self.payments:,} replies"]
        if self.uncounted < self.payments:
            notes += [f"{self.prompt_tokens:,} tokens read", f"{self.completion_tokens:,} written"]
        if self.uncounted:
            notes.append(f"{self.uncounted:,} without token counts")
        if self.unpriced < self.payments:
            notes.append(dollars(self.usd))
        if self.unpriced:
            notes.append(f"{self.unpriced:,} without a price")
        return ", ".join(notes)


@dataclass(frozen=True)
class Cap:
    """The most that may be paid in a run: `usd` over all payments after the one numbered `since`."""

    usd: float
    since: int = 0


class Meter:
    """Lets a question be asked while all that was paid, and what is being asked now, stay under the cap.

    spent: what was paid since the payment of this number, by everybody who shares the store of answers
    rates: tokens read a character of a request and written an answer, where they were measured before

    Questions that other processes have in flight are not seen until they are paid: with several, the cap may be passed
    by at most what those cost.
    """

    def __init__(
        self,
        spent: Callable[[int], Spent],
        prices: Prices | None,
        cap: Cap | None,
        rates: tuple[float, float] | None = None,
    ) -> None:
        self._spent = spent
        self._prices = prices
        self._cap = cap
        self._rates = rates
        self._estimated = self._counted = 0.0  # dollars of the same replies: by their characters, by their tokens
        self._in_flight = 0.0
        self._asking = 0
        self._changed = threading.Condition()

    def usd(self, characters: int, prompt_tokens: int | None, completion_tokens: int | None, most: int) -> float | None:
        """The price of a reply; estimated where its tokens are not known (`most`: the most that it may write)."""
        if self._prices is None:
            return None
        if prompt_tokens is None or completion_tokens is None:
            return self._expected(characters, most)
        counted = self._prices.usd(prompt_tokens, completion_tokens)
        with self._changed:
            self._estimated += self._estimate(characters, most)
            self._counted += counted
        return counted

    @contextmanager
    def admit(self, characters: int, most: int) -> Iterator[None]:
        """Holds what a question may cost for the block, which pays for it.

        Waits where only the questions that are being asked stand in the way: they may cost less than was held for
        them. Raises UserError where the cap would be passed without them too, or nobody said what a token costs.
        """
        if self._cap is None:
            yield
            return
        if self._prices is None:
            raise UserError(
                "--max-usd needs the judge's prices: write usd_per_million_input and usd_per_million_output into the "
                "profile's judge (0 for a judge that costs nothing)"
            )
        expected = self._hold(self._cap, characters, most)
        try:
            yield
        finally:
            with self._changed:
                self._in_flight -= expected
                self._asking -= 1
                self._changed.notify_all()

    def _hold(self, cap: Cap, characters: int, most: int) -> float:
        with self._changed:
            while True:
                paid, expected = self._spent(cap.since), self._expected(characters, most)
                if paid.usd + self._in_flight + expected <= cap.usd + _ROUNDING:
                    self._asking += 1
                    self._in_flight += expected
                    return expected
                if not self._asking:
                    break
                self._changed.wait()
        raise UserError(
            f"--max-usd={cap.usd:g} is reached: {dollars(paid.usd)} were paid in this run and the next question "
            f"costs about {dollars(expected)}; every answer is kept, and the same command with a higher --max-usd pays "
            "for the rest alone"
        )

    def _expected(self, characters: int, most: int) -> float:
        """What a question costs, in dollars: by its characters, and by how far that was right until now."""
        estimate = self._estimate(characters, most)
        return estimate * self._counted / self._estimated if self._estimated else estimate

    def _estimate(self, characters: int, most: int) -> float:
        per_character, written = self._rates or (TOKENS_PER_CHARACTER, most)
        return self._prices.usd(per_character * characters, written) if self._prices else 0.0


def dollars(usd: float) -> str:
    """A sum as people write it: to the cent, and to two digits below ten cents."""
    return f"${usd:,.2f}" if usd >= 0.1 or usd == 0 else f"${usd:.2g}"
