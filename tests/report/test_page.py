"""The page: what it holds, and how a real browser takes it."""

import html
import io
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from plotly.offline import get_plotlyjs

from archlab.errors import BadInput
from archlab.report import write_report
from archlab.report.page import unbroken
from archlab.space import Design

HOSTILE = "<script>alert(1)</script>"
HOVER = """
<script>
setTimeout(() => {
  const chart = document.getElementById("chart-front");
  const trace = chart.data.find((each) => each.meta === "front");
  const { xaxis, yaxis } = chart._fullLayout;
  const area = chart.querySelector(".nsewdrag").getBoundingClientRect();
  const at = trace.customdata.indexOf(TRIAL);
  const place = {
    clientX: area.left + xaxis.l2p(trace.x[at]), clientY: area.top + yaxis.l2p(trace.y[at]), bubbles: true,
  };
  chart.querySelector(".nsewdrag").dispatchEvent(new MouseEvent("mousemove", place));
}, 500);
</script>
"""

COMPARE = """
<script>
const seen = document.createElement("pre");
seen.id = "seen";
window.Blob = class { constructor(parts) { seen.textContent = parts.join(""); document.body.append(seen); } };
URL.createObjectURL = () => "#";
setTimeout(() => {
  for (const trial of TRIALS) document.querySelector(`input[data-compare="${trial}"]`).click();
  const conv = document.querySelector('select[data-knob="conv"]');
  conv.value = "separable";
  conv.dispatchEvent(new Event("change"));
  const most = document.querySelectorAll('input[data-range="latency_ms"]')[1];
  most.value = "8";
  most.dispatchEvent(new Event("input"));
  document.querySelector('input[data-column="reason"]').click();
  const handle = (axis) => document.querySelector(`[data-axis="${axis}"] .handle`);
  handle("kv_sharing").dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown" }));
  const { top, height } = handle("quality").getBoundingClientRect();
  const at = (share) => ({ clientX: 0, clientY: top + 8 + share * (height - 16), bubbles: true });
  handle("quality").dispatchEvent(new PointerEvent("pointerdown", at(0)));
  window.dispatchEvent(new PointerEvent("pointermove", at(0.5)));
  window.dispatchEvent(new PointerEvent("pointerup", at(0.5)));
  document.getElementById("csv").click();
}, 500);
</script>
"""


def test_report_is_complete_and_needs_nothing_else(make_study: Any, tmp_path: Path) -> None:
    study = make_study()
    index = write_report(study, tmp_path / "report", {"knee": int(study.front["trial"].iloc[1])})
    assert index == tmp_path / "report" / "index.html"
    tables = {f"{name}.{kind}" for name in ("front", "prices") for kind in ("csv", "md", "tex")}
    assert {file.name for file in index.parent.iterdir()} == tables | {
        "index.html", "pareto.png", "pareto.svg", "trials.csv",
    }  # fmt: skip
    own = index.read_text().replace(get_plotlyjs(), "")
    assert not re.findall(r"<\w[^>]*\s(?:src|href)\s*=", own)
    assert not re.findall(r"https?://|@import|url\(", own)
    assert "default-src 'none'" in own
    assert str(tmp_path) not in own


def test_data_of_the_page_matches_the_study(make_study: Any, tmp_path: Path) -> None:
    study = make_study()
    data = _data(write_report(study, tmp_path / "report"))
    columns = [column["key"] for column in data["columns"]]
    rows = [dict(zip(columns, row, strict=True)) for row in data["rows"]]
    assert [row["trial"] for row in rows] == list(study.trials["trial"])
    for row, (_, trial) in zip(rows, study.trials.iterrows(), strict=True):
        assert row["latency_ms"] == (None if pd.isna(trial["latency_ms"]) else trial["latency_ms"])
        assert row["reason"] == (None if pd.isna(trial["reason"]) else trial["reason"])
    complete = study.trials[study.trials["status"] == "complete"]
    assert {int(number) for number in data["samples"]} == set(complete["trial"])
    assert all(uri.startswith("data:image/png;base64,") for uri in data["samples"].values())


def test_an_ablations_page_leads_with_its_effects(make_study: Any, tmp_path: Path) -> None:
    search, ablation = (
        write_report(make_study(samples=False, design=design), tmp_path / design.strategy).read_text()
        for design in (Design(strategy="tpe"), Design(strategy="ablate"))
    )
    first = [re.findall(r'<section class="card" id="([^"]*)"', page)[0] for page in (search, ablation)]
    assert first == ["front", "effects"]


def test_html_in_values_is_text(make_study: Any, tmp_path: Path) -> None:
    trials = make_study().trials.copy()
    trials["conv"] = HOSTILE
    trials.loc[trials["status"] == "failed", "reason"] = HOSTILE
    study = make_study(trials=trials, name=HOSTILE, quality_label="fid<b>@256", resolved={"note": HOSTILE})
    index = write_report(study, tmp_path / "report")
    text = index.read_text()
    assert HOSTILE not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "fid<b>" not in text
    assert text.count("</script>") == 3
    data = _data(index)
    conv = [column["key"] for column in data["columns"]].index("conv")
    assert data["rows"][0][conv] == HOSTILE


def test_where_the_baseline_alone_was_trained_the_page_begins_with_that(make_study: Any, tmp_path: Path) -> None:
    study = make_study(samples=False)
    trained = study.trials[study.trials["status"] == "complete"].head(1).assign(architecture=study.baseline_spec.id)
    text = write_report(make_study(samples=False, trials=trained), tmp_path).read_text()
    assert '<div class="verdict"><p>Only the baseline has been trained to the end yet.</p></div>' in text


def test_cards_that_cannot_be_drawn_say_why(make_study: Any, tmp_path: Path) -> None:
    trials = make_study(samples=False).trials
    untrained = trials[trials["status"].isin(["gated", "failed"])]
    text = write_report(make_study(samples=False, trials=untrained), tmp_path / "a").read_text()
    assert "No trial has been trained to the end yet. 7 asked: 0 trained" in text
    assert "The front is empty" in text
    assert "cannot be told: no comparable trained trial" in text
    empty = write_report(make_study(samples=False, trials=trials[:0]), tmp_path / "b").read_text()
    assert "No trial was asked yet." in empty
    assert empty.count('class="missing"') == 7  # what changes cost is known without any trial
    bare = make_study(samples=False, trials=pd.DataFrame(columns=["on_front", "latency_ms"]))
    assert "No trial was asked yet." in write_report(bare, tmp_path / "c").read_text()


@pytest.mark.parametrize(
    "objectives",
    [["quality"], ["quality", "macs_g"], ["quality", "latency_ms", "params_m"], ["latency_ms", "quality"]],
)
def test_any_number_of_objectives_makes_a_report(make_study: Any, tmp_path: Path, objectives: list[str]) -> None:
    index = write_report(make_study(samples=False, objectives=objectives), tmp_path / "report")
    assert set(_data(index)["figures"]) == {"front", "effects", "history"}


def test_samples_that_are_no_png_are_left_out(make_study: Any, tmp_path: Path) -> None:
    study = make_study()
    number = int(study.front["trial"].iloc[0])
    (study.folder / "trials" / str(number) / "samples.png").write_text("<svg onload=alert(1)>")
    assert str(number) not in _data(write_report(study, tmp_path / "report"))["samples"]


def test_samples_stop_at_the_budget_with_the_front_kept(make_study: Any, tmp_path: Path) -> None:
    study = make_study()
    data = _data(write_report(study, tmp_path / "report", samples_mb=0.9))
    assert set(study.front["trial"]) <= {int(number) for number in data["samples"]}
    assert len(data["samples"]) < (study.trials["status"] == "complete").sum()


def test_folder_that_cannot_be_written_is_bad_input(make_study: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BadInput, match="cannot be written"):
        write_report(make_study(samples=False), tmp_path / "file" / "report")


def test_report_imports_no_torch() -> None:
    code = (
        "import sys, archlab.report, archlab.report.html, archlab.report.pareto\n"
        "assert not {'torch', 'diffusers', 'matplotlib.pyplot', 'wandb'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_thousands_of_trials_take_seconds(make_study: Any, tmp_path: Path) -> None:
    study = make_study(5000, samples=False)
    started = time.process_time()
    index = write_report(study, tmp_path / "report")
    assert time.process_time() - started < 10
    assert index.stat().st_size < 12e6


def test_browser_draws_a_chart_for_every_device_and_marks_estimates(
    two_devices: Any, tmp_path: Path, browser: str
) -> None:
    index = write_report(two_devices, tmp_path / "report", {"knee": int(two_devices.front["trial"].iloc[0])})
    assert (index.parent / "pareto_pixel8.png").is_file()
    assert set(_data(index)["figures"]) == {"front", "front_pixel8", "effects", "history"}
    page, console = _open(browser, index)
    assert console == []
    assert page.count('class="main-svg"') >= 3
    assert "<h2>The front on pixel8</h2>" in page
    assert "estimates from a block table" in page
    kinds = two_devices.trials["latency_kind_pixel8"].value_counts()
    body = page[page.index('id="table-trials"') : page.index('id="more"')]
    assert body.count("≈ ") == kinds["estimated"]
    assert body.count("<td>estimated</td>") == kinds["estimated"]


def test_browser_draws_everything_without_a_complaint(make_study: Any, tmp_path: Path, browser: str) -> None:
    study = make_study()
    index = write_report(study, tmp_path / "report", {"knee": int(study.front["trial"].iloc[1])})
    page, console = _open(browser, index)
    assert console == []
    assert page.count('class="main-svg"') >= 2
    assert len(re.findall(r"<tr data-trial", page)) == len(study.trials) + len(study.front)
    assert f"<h3>Trial {study.front['trial'].iloc[1]}</h3>" in page


def test_complaints_and_addresses_would_be_seen(make_study: Any, tmp_path: Path, browser: str) -> None:
    index = write_report(make_study(), tmp_path / "report")
    complaining = tmp_path / "complaining.html"
    trouble = '<script>missing.name</script><img src="https://example.org/a.png">'
    complaining.write_text(index.read_text().replace("</body>", trouble + "</body>"))
    _, console = _open(browser, complaining)
    assert any("missing is not defined" in line for line in console)
    assert any("Content Security Policy" in line for line in console)


def test_pointing_at_a_trial_fills_the_panel(make_study: Any, tmp_path: Path, browser: str) -> None:
    study = make_study()
    index = write_report(study, tmp_path / "report")
    last: Any = study.front.iloc[-1]
    number = int(last["trial"])
    assert f"<h3>Trial {number}</h3>" not in _open(browser, index)[0]
    hovered = tmp_path / "hovered.html"
    hovered.write_text(index.read_text().replace("</body>", HOVER.replace("TRIAL", str(number)) + "</body>"))
    page, console = _open(browser, hovered)
    panel = page[page.index('id="panel"') : page.index("</aside>")]
    assert console == []
    assert f"<h3>Trial {number}</h3>" in panel
    assert f'alt="samples of trial {number}"' in panel
    assert f"{last['latency_ms']:.4g}" in panel
    assert str(last["transformers"]) in panel


def test_two_trials_are_compared_and_what_is_filtered_and_brushed_is_downloaded(
    make_study: Any, tmp_path: Path, browser: str
) -> None:
    study = make_study()
    index = write_report(study, tmp_path / "report")
    one, two = (int(number) for number in study.front["trial"].iloc[[0, -1]])
    driven = tmp_path / "driven.html"
    driven.write_text(index.read_text().replace("</body>", COMPARE.replace("TRIALS", f"[{one}, {two}]") + "</body>"))
    page, console = _open(browser, driven)
    assert console == []
    compared = page[page.index('id="comparison"') : page.index('id="trials"')]
    assert compared.count("<img") == 2
    rows = study.trials.set_index("trial")
    faster = rows.loc[two, "latency_ms"] - rows.loc[one, "latency_ms"]
    assert f"+{float(f'{faster:.4g}'):g} (" in compared
    differ = [knob for knob in study.knobs if rows.loc[one, knob] != rows.loc[two, knob]]
    assert [knob for knob in study.knobs if f'<th scope="row">{knob}</th>' in compared] == differ
    downloaded = pd.read_csv(io.StringIO(html.unescape(re.findall(r'<pre id="seen">(.*?)</pre>', page, re.DOTALL)[0])))
    trained = study.trials[study.trials["status"] == "complete"]
    middle = (trained["quality"].min() + trained["quality"].max()) / 2
    brushed = trained[(trained["kv_sharing"] == "none") & (trained["quality"] >= middle)]
    wanted = brushed[(brushed["conv"] == "separable") & (brushed["latency_ms"] <= 8)]
    assert 0 < len(wanted) < len(brushed)
    lines = {int(trial): name for name, trial in re.findall(r'<path [^>]*class="([^"]*)" data-trial="(\d+)"', page)}
    assert lines.keys() == set(trained["trial"])
    assert {trial for trial, name in lines.items() if "faded" not in name} == set(brushed["trial"])
    assert {trial for trial, name in lines.items() if "front" in name} == set(study.front["trial"])
    assert sorted(downloaded["trial"]) == sorted(wanted["trial"])
    assert "reason" not in downloaded
    assert list(downloaded.columns[3:5]) == study.knobs[:2]


def test_address_names_a_trial(make_study: Any, tmp_path: Path, browser: str) -> None:
    study = make_study()
    number = int(study.trials.loc[study.trials["status"] == "gated", "trial"].iloc[0])
    page, console = _open(browser, write_report(study, tmp_path / "report"), f"#trial-{number}")
    assert console == []
    assert f"<h3>Trial {number}</h3>" in page
    assert "is over the limit of" in page[page.index('id="panel"') : page.index("</aside>")]


def test_browser_takes_an_empty_study_and_a_hostile_one(make_study: Any, tmp_path: Path, browser: str) -> None:
    trials = make_study().trials.copy()
    for name, rows in {"empty": trials[:0], "hostile": trials.assign(conv=HOSTILE)}.items():
        page, console = _open(browser, write_report(make_study(trials=rows, name=HOSTILE), tmp_path / name))
        assert console == []
        assert "Where the numbers come from" in page


def _data(index: Path) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', index.read_text(), re.DOTALL)
    assert found
    return json.loads(found.group(1))


def _open(browser: str, page: Path, fragment: str = "") -> tuple[str, list[str]]:
    """The document after scripts have run, and the lines of its console. No host name resolves."""
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1400,2000", "--dump-dom",
        "--virtual-time-budget=4000", "--enable-logging=stderr", "--v=0",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={page.parent}-profile", f"{page.resolve().as_uri()}{fragment}",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def test_lines_end_neither_before_a_unit_nor_beside_plus_minus() -> None:
    said = unbroken("95 % of 4.6 ms and 13.7 M, 0.16 ± 0.01; take 3 s of 2 min, 5 minutes, 7 models, trial 3 scored")
    assert said.replace("\N{NO-BREAK SPACE}", "~") == (
        "95~% of 4.6~ms and 13.7~M, 0.16~±~0.01; take 3~s of 2~min, 5 minutes, 7 models, trial 3 scored"
    )
