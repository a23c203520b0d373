"""The audit of a proxy: a page, a picture, tables, and what it recommends as YAML."""

import textwrap
from math import isnan
from pathlib import Path

import pandas as pd
import yaml

from archlab.analysis.audit import LEVEL, Agreement, Audit, Predictor, scores_table
from archlab.files import writable_folder, write_text
from archlab.report.audit_charts import audit_figure, audit_info, order_chart, tau_chart
from archlab.report.cards import Card
from archlab.report.page import render_page
from archlab.report.picture import write_picture
from archlab.report.table import text
from archlab.report.tables import write_tables

_PERCENT = f"{100 * LEVEL:.4g} %"
_WIDTH = 118  # of a comment in YAML
_HOW = (
    "τ is Kendall's τ-b of one seed's score with the reference score's mean over the seeds; intervals are "
    f"{_PERCENT} percentile bootstraps over the architectures. A score and a later one of the same training share its "
    "luck; τ with the other seeds' reference scores shares the architecture alone, and compares with what the "
    "reference score reaches between seeds. More counts as better for costs and for scores at initialisation. "
    "Training time is of one architecture and one seed, without scoring."
)
_SAMPLE = "Knobs, costs, and every score of the training as the mean over seeds; lower is better."


def write_audit(audit: Audit, folder: Path) -> Path:
    """Write ``audit.html``, ``audit.png`` and ``.svg``, ``recommendation.yaml``, and ``audit`` (the scores) and
    ``architectures`` as ``.csv``, ``.md`` and ``.tex``; each whole or not at all.

    Returns:
        The path of ``audit.html``.

    Raises:
        BadInput: the folder cannot be written.
    """
    info, folder = audit_info(audit), writable_folder(folder)
    write_picture(lambda: audit_figure(info), folder / "audit")
    write_tables({"audit": scores_table(audit), "architectures": audit.architectures}, folder)
    write_text(folder / "recommendation.yaml", recommendation(audit))
    cards = [
        Card(key="tau", title="What each score predicts", sentence=" ".join(finding(audit)), figure=tau_chart(info)),
        Card(key="order", title="The two orders", sentence=_order(audit, info.cheap), figure=order_chart(info)),
        Card(key="scores", title="Every score", sentence=_HOW, data=shown_scores(audit)),
        Card(key="architectures", title="The architectures", sentence=_SAMPLE, data=audit.architectures),
    ]
    figures = {card.key: card.figure.to_plotly_json() for card in cards if card.figure is not None}
    values = {"kicker": "archlab audit", "name": audit.study, "lead": _lead(audit), "cards": cards}
    write_text(folder / "audit.html", render_page("cards.html.j2", {"figures": figures}, **values))
    return folder / "audit.html"


def finding(audit: Audit) -> list[str]:
    """The outcome, sentence by sentence."""
    said = [_cheapest(audit)]
    if audit.recommended is not None:
        said.append(_how_sure(audit))
    if (before := audit.untrained) is not None:
        said.append(f"Without any training {_tau(before)}: in this space that decides most of the order.")
    if not isnan(audit.ceiling.value):
        noisy = (
            "; more --steps or --seeds would tell the architectures apart" if audit.ceiling.value < audit.bar else ""
        )
        said.append(f"Between seeds {audit.reference.name} agrees with itself at τ {_interval(audit.ceiling)}{noisy}.")
    return said


def recommendation(audit: Audit) -> str:
    """The settings that the audit recommends, as the YAML of a search space has them, with the reasons as comments.

    Where no cheaper score keeps τ at the bar, they are those of the reference score.
    """
    score = audit.reference if audit.recommended is None else audit.recommended.score
    comments = [line for sentence in finding(audit) for line in textwrap.wrap(sentence, _WIDTH)]
    settings = {"proxy": {"rungs": [score.steps], "quality": score.metric}}
    return "".join(f"# {line}\n" for line in comments) + yaml.safe_dump(
        settings, sort_keys=False, default_flow_style=None
    )


def shown_scores(audit: Audit) -> pd.DataFrame:
    """The table of scores, headed as people read it."""
    table, top = scores_table(audit), f"top_{audit.top}"
    names = {
        "score": "score",
        "train_seconds": "training (s)",
        "tau": "τ",
        "tau_low": "τ from",
        "tau_high": "τ to",
        top: f"best {audit.top} found",
        f"{top}_low": "found from",
        f"{top}_high": "found to",
        "tau_other_seeds": "τ, other seeds",
    }
    return table[[name for name in names if table[name].notna().any()]].rename(columns=names)


def _lead(audit: Audit) -> str:
    seeds = f"{audit.seeds} seed{'s' if audit.seeds != 1 else ''}"
    left_out = f"; {audit.left_out} more did not come to the end" if audit.left_out else ""
    return (
        f"{len(audit.architectures)} architectures trained for {audit.reference.steps:,} steps with {seeds}{left_out}. "
        f"Does what is known earlier put them in the order of {audit.reference.name}?"
    )


def _cheapest(audit: Audit) -> str:
    found, best = audit.recommended, audit.nearest
    if found is not None:
        return (
            f"{_tau(found)} with {audit.reference.name}, and is the cheapest score that keeps τ at "
            f"{audit.bar:g}: it finds {found.top.value:.0%} of the best {audit.top} after "
            f"{_seconds(found.score.seconds)} of training instead of {_seconds(audit.reference.seconds)}."
        )
    nearest = "" if best is None else f"; nearest comes {best.score.name}, at τ {_interval(best.tau)}"
    return f"No score of a shorter training keeps τ with {audit.reference.name} at {audit.bar:g}{nearest}."


def _how_sure(audit: Audit) -> str:
    sure = audit.sure
    if sure is None:
        return f"The lower end of the interval is under {audit.bar:g} for every shorter training."
    if sure is audit.recommended:
        return f"The lower end of the interval keeps {audit.bar:g}, too."
    return f"The first whose lower end keeps it is {sure.score.name}, at τ {_interval(sure.tau)}."


def _order(audit: Audit, cheap: str) -> str:
    return (
        f"Every architecture's place by {cheap} against its place by {audit.reference.name}, means over the seeds; 1 "
        f"is the best. On the line both agree.{' The baseline is red.' if audit.baseline is not None else ''}"
    )


def _tau(predictor: Predictor) -> str:
    """``val_loss@200 agrees at τ 0.83 (95 %: 0.71 to 0.91)``"""
    return f"{predictor.score.name} agrees at τ {_interval(predictor.tau)}"


def _interval(agreement: Agreement) -> str:
    return f"{agreement.value:.2f} ({_PERCENT}: {agreement.low:.2f} to {agreement.high:.2f})"


def _seconds(seconds: float) -> str:
    return "an unknown time" if isnan(seconds) else f"{text(round(seconds, 1))} s"
