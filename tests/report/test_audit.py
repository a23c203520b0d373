"""The audit's files, read back and opened in a browser."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml
from PIL import Image

from archlab.analysis.audit import Audit, audit
from archlab.report.audit import finding, recommendation, write_audit
from archlab.report.audit_charts import audit_info
from archlab.study.audit import run_audit
from archlab.study.definition import load_definition
from archlab.study.executors import Inline
from tests.report.browser import screenshot
from tests.study.audit.made_up import Trainings
from tests.study.spaces import MINI, write_space


def audited(folder: Path, trainings: Trainings, bar: float = 0.7) -> Audit:
    definition = load_definition(write_space(folder, MINI.replace("rungs: [3]", "rungs: [2, 4]")))
    return audit(
        run_audit(definition, "mini-audit", architectures=10, root=folder, executor=Inline(trainings)), bar=bar
    )


def test_page_tables_and_picture_show_every_score(tmp_path: Path, browser: str) -> None:
    found = audited(tmp_path, Trainings())
    info = audit_info(found)
    assert [place.reference for place in info.places] == found.architectures["val_loss@40"].rank().tolist()
    assert info.steps == [0, 2, 4, 40]
    page = write_audit(found, tmp_path / "report")
    scores = pd.read_csv(page.parent / "audit.csv")
    assert scores["score"].tolist() == [each.score.name for each in found.predictors]
    assert scores["tau"].tolist() == pytest.approx([each.tau.value for each in found.predictors], nan_ok=True)
    assert len(pd.read_csv(page.parent / "architectures.csv")) == 10
    with Image.open(page.parent / "audit.png") as image:
        assert image.size == (2200, 960)
    text = page.read_text()
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert data
    figures = json.loads(data.group(1))["figures"]
    assert len(figures["order"]["data"][1]["x"]) == 10
    assert [each.metric for each in info.before] == ["macs_g", "naswot", "params_m"]  # synflow is the same for all
    assert [trace["name"] for trace in figures["tau"]["data"]] == [e.metric for e in [*info.before, *info.series]]
    shown = screenshot(browser, page.resolve().as_uri(), tmp_path / "page.png")
    assert shown.count('class="main-svg"') >= 2
    assert "adherence@2 agrees at τ 1.00" in shown


SURE = "The lower end of the interval keeps 0.7, too"
RECOMMENDED = {  # noise at the rungs; the recommended rung and what is said
    "the first rung, though the next is better": ({2: 0.02, 4: 0.0001}, 2, SURE),
    "a first rung that is not sure": ({2: 0.05, 4: 0.0001}, 2, "The first whose lower end keeps it is val_loss@4"),
    "a later rung": ({2: 3.0, 4: 0.001}, 4, SURE),
    "nothing cheaper": ({2: 3.0, 4: 3.0}, 40, "No score of a shorter training"),
}


@pytest.mark.parametrize("case", RECOMMENDED)
def test_recommendation_is_yaml_of_a_space_with_its_reasons(case: str, tmp_path: Path) -> None:
    noise, rung, said = RECOMMENDED[case]
    found = audited(tmp_path, Trainings(noise=noise, more_from=40))
    text = recommendation(found)
    assert yaml.safe_load(text) == {"proxy": {"rungs": [rung], "quality": "val_loss"}}
    assert said in " ".join(finding(found))
    assert all(line.startswith("# ") for line in text.split("proxy:")[0].splitlines())
    settings = text[text.index("  rungs") :]
    usable = load_definition(write_space(tmp_path, MINI.replace("  rungs: [3]\n", settings))).settings
    assert (usable.proxy.rungs, usable.proxy.quality) == ((rung,), "val_loss")
