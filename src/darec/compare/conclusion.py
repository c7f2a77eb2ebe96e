"""The conclusion of a comparison: a sentence or two that follow from its figures by rule."""

from __future__ import annotations

from darec.compare.figures import Gain
from darec.compare.result import Comparison, Variant


def conclusion(comparison: Comparison) -> list[str]:
    """Return the sentences: the best variant, and its difference to the baseline."""
    metric = comparison.headline[0]
    done = [variant for variant in comparison.variants if metric in variant.test]
    if not done:
        return ["No run has finished, so there is no result."]
    if comparison.kind == "sweep":
        return _swept(comparison, metric)
    best = max(done, key=lambda variant: variant.test[metric].mean)
    told = [f"{best.name} has the highest test {metric}, {best.test[metric].mean:.4f}"]
    if len(done) == 1:
        told = [f"{best.name} has a test {metric} of {best.test[metric].mean:.4f}"]
    gain = best.gains.get(metric)
    if gain is not None:
        bare = comparison.kind == "pairs" and comparison.baseline == "none"
        over = "the same backbone without alignment" if bare else comparison.words.over
        told.append(f", {_said(gain)} {over}")
    elif best.row == comparison.baseline and len(done) > 1:
        told.append("; no change of it has a higher value" if comparison.kind == "ablation" else "")
    sentences = ["".join(told) + "."]
    return [*sentences, *_tail(comparison, best, done, metric)]


def _swept(comparison: Comparison, metric: str) -> list[str]:
    chosen = comparison.chosen
    if chosen is None or metric not in chosen.test:
        return [f"No value has a validation {comparison.monitor}, so none is chosen."]
    return [
        f"Validation {comparison.monitor} chooses {chosen.row}, whose test {metric} is "
        f"{chosen.test[metric].mean:.4f}."
    ]


def _tail(comparison: Comparison, best: Variant, done: list[Variant], metric: str) -> list[str]:
    """Return a sentence on the best variant among the least popular items."""
    groups = [group for group in comparison.groups if group.kind == "items" and group.size]
    if len(groups) < 2 or len(done) < 2:
        return []
    name = f"{min(groups, key=lambda group: group.low).name}/{metric}"
    known = [variant for variant in done if name in variant.test]
    if best not in known:
        return []
    first = max(known, key=lambda variant: variant.test[name].mean)
    place = f"among the least popular items ({groups[0].low} to {groups[0].high} training users)"
    if first is best:
        return [f"It also has the highest {place}, {best.test[name].mean:.4f}."]
    return [
        f"{place[0].upper()}{place[1:]} it has {best.test[name].mean:.4f}, and {first.name} has more, "
        f"{first.test[name].mean:.4f}."
    ]


def _said(gain: Gain) -> str:
    share = gain.relative
    size = f"{abs(gain.difference):.4f}"
    interval = ""
    if share is not None:
        size = f"{100 * abs(share[0]):.1f}%"
        interval = f" (95% interval {100 * share[1]:+.1f} to {100 * share[2]:+.1f}%)"
    way = "more" if gain.difference >= 0 else "less"
    sure = "" if gain.significant else ", which is within chance,"
    return f"{size} {way}{interval}{sure} than"
