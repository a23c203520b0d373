"""The page of a search that a surrogate led."""

import re
from pathlib import Path

from archlab.report import write_report
from archlab.report.surrogate import covered, further_hour
from archlab.study.explanation import Check, Predicted
from archlab.study.surrogate import Gain
from tests.study.made_up import write_study
from tests.study.test_explanation import SURROGATE


def test_the_page_says_how_well_it_predicts_what_matters_and_what_is_promised(tmp_path: Path) -> None:
    study = write_study(tmp_path / "studies", "mini", "stopped stopped gated", text=SURROGATE)
    page = write_report(study, tmp_path / "report").read_text(encoding="utf-8")
    page = page.partition('<script type="application/json"')[0]
    assert not re.search(
        r"[\d.] (%|ms)", re.sub(r"<(pre|style|svg)\b.*?</\1>", "", page, flags=re.DOTALL)
    )  # no line breaks there
    said = re.sub(r"<[^>]+>", " ", page).replace("\N{NO-BREAK SPACE}", " ")
    assert re.search(
        r"the 80 % intervals hold \d+ of 12 \(\d+ %\); at lower rungs, where the others ended, \d of 2", said
    )
    assert re.search(r"given the architecture&#x27;s own lower rungs, too, \d+ of 12", said)
    assert "Which knobs matter, by the surrogate" in said
    assert "To train them:  archlab study mini --more" in said
    verdict = said[: said.index("The front")]
    assert re.search(r"A further hour of one worker is expected to raise the hypervolume by about [\d.]+ %", verdict)
    few = write_study(tmp_path / "few", "mini", complete=2, text=SURROGATE)
    assert "This needs 5 trials that were trained to the end." in write_report(few, tmp_path / "few_report").read_text()


def test_words() -> None:
    inside, outside = (Check(0, observed, Predicted(1.0, 0.9, 1.1)) for observed in (1.05, 1.2))
    assert covered([inside, inside, outside]) == "2 of 3 (67 %)"
    assert further_hour(None) == ""
    assert (
        further_hour(Gain(0.0002, 0.0, 0.001))
        == "A further hour of one worker is not expected to raise the hypervolume."
    )
    assert further_hour(Gain(0.0234, 0.004, 0.0511)).endswith("by about 2.3 % (80 %: 0.4 to 5.1 %).")
