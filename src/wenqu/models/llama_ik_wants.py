"""What a request of OpenAI's protocol wants of ik_llama.cpp: how to pick tokens, where to stop.

What is not understood and would change the answer is refused: an answer without the tools or the
schema that were asked for would look like one with them.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wenqu.models.llama_ik import IkError
from wenqu.models.llama_ik_batch import likeliest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from wenqu.models.llama_ik import Turn
    from wenqu.models.llama_ik_batch import Choose

__all__ = ["Spoken", "Wants", "prompt", "turns", "wants"]

# As llama.cpp's server has them.
_TEMPERATURE, _TOP_K, _TOP_P, _MIN_P = 0.8, 40, 0.95, 0.05
_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
# Fields that change an answer in ways that are not to be had here, unless they ask for nothing.
_REFUSED: Mapping[str, Sequence[object]] = {
    "tools": ([],),
    "functions": ([],),
    "response_format": ({"type": "text"},),
    "grammar": ("",),
    "json_schema": ({},),
    "logprobs": (False, 0),
    "top_logprobs": (0,),
    "logit_bias": ({}, []),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "repeat_penalty": (1,),
    "suffix": ("",),
    "echo": (False,),
    "n": (1,),
    "best_of": (1,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wants:
    """How a prompt is to be answered; ``most`` is None for as long as there is room."""

    most: int | None
    choose: Choose
    stops: tuple[str, ...] = ()
    endless: bool = False
    stream: bool = False
    usage: bool = False


def wants(body: Mapping[str, Any]) -> Wants:
    """Read a request.

    Raises:
        IkError: It asks for what cannot be done here.
        ValueError, TypeError, AttributeError: It is none.
    """
    for name, harmless in _REFUSED.items():
        if body.get(name) is not None and body[name] not in harmless:
            raise IkError(f"{name}: not supported by ik_llama.cpp, but by --engine llama.cpp")
    most = _given(body, "max_completion_tokens", _given(body, "max_tokens", None))
    stops = body.get("stop") or ()
    stops = (stops,) if isinstance(stops, str) else tuple(stops)
    if not all(isinstance(stop, str) and stop for stop in stops):
        raise ValueError("stop")
    return Wants(
        most=None if most is None or int(most) < 0 else max(1, int(most)),
        choose=_choice(body),
        stops=stops,
        endless=bool(body.get("ignore_eos")),
        stream=bool(body.get("stream")),
        usage=bool((body.get("stream_options") or {}).get("include_usage")),
    )


def turns(body: Mapping[str, Any]) -> list[Turn]:
    """Return the turns of a chat request.

    Raises:
        ValueError, KeyError, TypeError: There are none, or of a kind that this model knows not.
    """
    found = [(_ROLES[message["role"]], _text(message["content"])) for message in body["messages"]]
    if not found:
        raise ValueError("messages")
    return found


def prompt(body: Mapping[str, Any]) -> str:
    """Return the text that a completion goes on from.

    Raises:
        ValueError, KeyError: There is none, or more than one.
    """
    given = body["prompt"]
    text = given[0] if isinstance(given, list) and len(given) == 1 else given
    if not isinstance(text, str) or not text:
        raise ValueError("prompt")
    return text


def _text(content: object) -> str:
    """Return a turn's text, which may come in parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise TypeError("content")
    parts = [part["text"] for part in content]
    if not all(isinstance(part, str) for part in parts):
        raise TypeError("content")
    return "".join(parts)


def _given(body: Mapping[str, Any], name: str, default: Any) -> Any:
    return default if body.get(name) is None else body[name]


def _choice(body: Mapping[str, Any]) -> Choose:
    """Return what picks a token: the likeliest, or one by chance among the likely."""
    temperature = float(_given(body, "temperature", _TEMPERATURE))
    if temperature <= 0:
        return likeliest
    import numpy as np

    seed = body.get("seed")
    chance = np.random.default_rng(None if seed is None or int(seed) < 0 else int(seed))
    top_k = int(_given(body, "top_k", _TOP_K))
    top_p, min_p = (
        float(_given(body, name, value)) for name, value in (("top_p", _TOP_P), ("min_p", _MIN_P))
    )

    def choose(logits: NDArray[np.float32]) -> int:
        count = top_k if 0 < top_k < len(logits) else len(logits)
        among = np.argpartition(logits, -count)[-count:]
        among = among[np.argsort(-logits[among])]
        odds = _odds(logits[among].astype(np.float64))
        # The likeliest ones that have ``top_p`` together, and of them those not far behind.
        kept = (np.cumsum(odds) - odds < top_p) & (odds >= min_p * odds[0])
        kept[0] = True
        among = among[kept]
        return int(chance.choice(among, p=_odds(logits[among].astype(np.float64) / temperature)))

    return choose


def _odds(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return probabilities; ``logits`` come in falling order."""
    import numpy as np

    raised = np.exp(logits - logits[0])
    return np.asarray(raised / raised.sum())


class Spoken:
    """The text of a reply as far as it may be shown: whole characters, and no part of a stop."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pending = ""
        self.stopped = False

    def add(self, piece: bytes, *, last: bool = False) -> str:
        """Return what can be shown now that ``piece`` has been said; nothing after a stop."""
        if self.stopped:
            return ""
        self._pending += self._decoder.decode(piece, final=last)
        found = [at for stop in self._stops if (at := self._pending.find(stop)) >= 0]
        self.stopped = bool(found)
        shown = min(found) if found else len(self._pending) - (0 if last else self._held_back())
        text, self._pending = self._pending[:shown], self._pending[shown:]
        return text

    def _held_back(self) -> int:
        """Return how long the end is that may be the beginning of a stop."""
        longest = min(len(self._pending), max(map(len, self._stops), default=0) - 1)
        for length in range(longest, 0, -1):
            if any(stop.startswith(self._pending[-length:]) for stop in self._stops):
                return length
        return 0
