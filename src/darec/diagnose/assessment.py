"""The verdict in words, from the report's figures by explicit rules. The thresholds are conventions, not results.

The first rule that applies decides:

1. *says little*: the whole interval is above :data:`SIGNAL` times chance neither for the agreement nor for the recall
of text alone. 2. *can help*: the sum of text and interactions is better than the better of the two alone: the whole
interval of the gain is above zero, and the gain is at least :data:`MATERIAL` of that recall. 3. *helps only the tail*:
rule 2 holds among the items of the least popular third. Or among them text alone is better than interactions alone,
with the whole interval above zero, and better than :data:`SIGNAL` times chance. 4. *adds little*: the whole interval of
the gain is below :data:`MATERIAL` of the recall of the better one alone. 5. *unclear*: in all other cases; more users
with held-out items are needed.

The verdict holds for this encoder's vectors and for recommenders in closed form. A trained model may gain more or less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from darec.diagnose.coverage import NEAR
from darec.diagnose.estimate import Estimate
from darec.diagnose.figures import Figures
from darec.terms import FEW

Verdict = Literal["says little", "can help", "helps only the tail", "adds little", "unclear"]

SIGNAL: Final = 2.0
"""Text counts as a signal above this multiple of chance."""
MATERIAL: Final = 0.02
"""The smallest gain that counts, as a share of the recall of the better one alone."""
_THIN = 0.2  # share of items without text, or with repeated text, from which on the report mentions them
_THIRDS = ("least popular", "middle", "most popular")


@dataclass(frozen=True)
class Assessment:
    """The conclusion from the figures.

    Attributes:
        verdict: in a few words.
        reason: the rule that decided, with its figures.
        warnings: sentences on texts that hardly distinguish or relate items; they come first.
        remarks: further sentences, each derived from figures.
    """

    verdict: Verdict
    reason: str
    warnings: tuple[str, ...]
    remarks: tuple[str, ...]


def assess(found: Figures) -> Assessment:
    """Apply the rules of this module's docstring."""
    verdict, reason = _verdict(found)
    return Assessment(verdict, reason, tuple(_warnings(found)), tuple(_remarks(found)))


def _warnings(found: Figures) -> list[str]:
    lines = []
    cover, cosine = found.coverage, found.shape.mean_cosine
    if cover.common_words < FEW:
        lines.append(
            f"Only {cover.common_words:.0%} of the texts share a word with another one: an encoder that counts words, "
            "such as tfidf, can find few similar items."
        )
    if cosine > NEAR:
        lines.append(
            f"The encoder's vectors are nearly the same for all texts (mean cosine {cosine:.3f}), so they hardly "
            "distinguish items."
        )
    return lines


def _verdict(found: Figures) -> tuple[Verdict, str]:
    recalls, gain = found.recalls, found.gain.overall
    alone, chance = recalls["alone"].overall.value, recalls["random"].overall.value
    shared, text = found.agreement, recalls["text"].overall
    agrees = shared is not None and shared.share.overall.low > SIGNAL * (shared.chance[0] or 0.0)
    if not agrees and text.low <= SIGNAL * chance:
        lift = "no two items share a user" if shared is None else f"{shared.lift:.1f} times chance"
        return "says little", (
            f"neighbour agreement ({lift}) and recall@20 of text alone ({text}; at random {chance:.4f}) are not "
            f"clearly above {SIGNAL:g} times chance."
        )
    more = f"the sum of both changes recall@20 of the better one alone by {_percent(gain, alone)}"
    if _helps(gain, alone):
        return "can help", f"{more}: {_signed(gain)} on {alone:.4f}."
    tail, tail_alone = found.gain.thirds[0], recalls["alone"].thirds[0]
    if tail and tail_alone and _helps(tail, tail_alone.value):
        return "helps only the tail", (
            f"overall {more}, which is not clearly at least {MATERIAL:.0%}; among the least popular third of the items "
            f"the gain is {_signed(tail)} on {tail_alone.value:.4f}."
        )
    lead, rare = found.lead.thirds[0], recalls["text"].thirds[0]
    if lead and rare and lead.low > 0 and rare.low > SIGNAL * chance:
        return "helps only the tail", (
            f"overall {more}, which is not clearly at least {MATERIAL:.0%}; among the least popular third of the items "
            f"text alone has recall@20 {rare}, {_signed(lead)} above interactions."
        )
    if gain.high < MATERIAL * alone:
        return "adds little", (
            f"text says something about taste (recall@20 {text}), but {more}, clearly less than {MATERIAL:.0%}."
        )
    return "unclear", (
        f"{more}: the interval reaches from no gain to one above {MATERIAL:.0%}."
        if gain.low <= 0
        else f"{more}: a gain, but not clearly at least {MATERIAL:.0%}."
    )


def _remarks(found: Figures) -> list[str]:
    lines = []
    recalls, cover = found.recalls, found.coverage
    for says, wanted in (("gains", 1), ("loses", -1)):
        names = [
            name
            for name, gain in zip(_THIRDS, found.gain.thirds, strict=True)
            if _sign(gain) == wanted
        ]
        if names:
            lines.append(
                f"By item popularity, the sum {says} in the {', '.join(names)} third of the items."
            )
    rare, of_text = recalls["interactions"].thirds[0], recalls["text"].thirds[0]
    if rare and of_text and _sign(found.lead.thirds[0]) > 0:
        lines.append(
            "Among the least popular third of the items, text alone finds more than interactions alone: "
            f"{of_text} against {rare}."
        )
    shared = found.agreement
    if shared is not None:
        lines.append(
            f"Of an item's {shared.k} nearest neighbours in text, {shared.k * shared.share.overall.value:.2f} are "
            f"among its {shared.k} nearest in co-interactions; {shared.k * (shared.chance[0] or 0):.2f} are expected "
            "by chance."
        )
    linear, own = recalls["predicted"].overall, recalls["own"].overall
    lines.append(
        f"A linear map of the text predicts {max(found.regression.r2.value, 0):.1%} of the variance of the items' "
        f"collaborative factors (including their noise). Items that are ranked by predicted factors alone, as if "
        f"each were new, reach {linear.value / max(own.value, 1e-12):.0%} of the recall of their own factors."
    )
    if recalls["interactions"].overall.low <= recalls["popular"].overall.value:
        lines.append(
            "Interactions alone are not clearly better than the most popular items: there is little to learn here "
            "except popularity, with or without text."
        )
    if cover.without_text > _THIN * cover.items:
        lines.append(
            f"{cover.without_text / cover.items:.0%} of the items have no text and cannot gain."
        )
    if cover.near_repeated > _THIN * (cover.items - cover.without_text):
        lines.append(
            f"{cover.near_repeated / (cover.items - cover.without_text):.0%} of the items with text have nearly the "
            "same text as another item: longer or richer texts could say more."
        )
    return lines


def _sign(gain: Estimate | None) -> int:
    """Return 1 or -1 if the interval is on one side of zero, else 0."""
    return 0 if gain is None else int(gain.low > 0) - int(gain.high < 0)


def _helps(gain: Estimate, alone: float) -> bool:
    return gain.low > 0 and gain.value >= MATERIAL * alone


def _percent(gain: Estimate, alone: float) -> str:
    base = max(alone, 1e-12)
    return f"{gain.value / base:+.1%} ({gain.low / base:+.1%} to {gain.high / base:+.1%})"


def _signed(gain: Estimate) -> str:
    return f"{gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"
