"""``archlab audit`` on real, very short trainings."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from archlab.cli.audit import audit
from archlab.errors import BadInput
from tests.study.spaces import MINI, write_space

SHORT = MINI.replace("rungs: [3]", "rungs: [1]").replace("samples: 20", "samples: 4")


def run(folder: Path, *options: object) -> Result:
    sizes = ("--architectures", 8, "--steps", 2, "--seeds", 1, "--top", 3)
    places = (folder / "mini.yaml", "--studies", folder, "--reports", folder)
    return CliRunner().invoke(audit, [str(each) for each in (*places, *sizes, "--workers", 0, *options)])


def test_audit_trains_reports_and_recommends(tmp_path: Path) -> None:
    write_space(tmp_path, SHORT)
    shown = run(tmp_path, "--format", "json")
    assert shown.exit_code == 0, shown.output
    rows = {row["score"]: row for row in json.loads(shown.stdout)}
    assert {"macs_g", "params_m", "val_loss@1", "fid@2"} <= set(rows)
    assert 0 < rows["val_loss@1"]["train_seconds"] < rows["fid@2"]["train_seconds"]
    assert rows["val_loss@1"]["tau_low"] <= rows["val_loss@1"]["tau"] <= rows["val_loss@1"]["tau_high"]
    recommended = yaml.safe_load((tmp_path / "mini-audit" / "recommendation.yaml").read_text())
    assert recommended["proxy"]["quality"] == "val_loss"
    again = run(tmp_path, "--bar", 1)
    assert "training the proxy" not in again.stderr
    assert f"report  {tmp_path / 'mini-audit' / 'audit.html'}" in again.stdout
    with pytest.raises(BadInput, match="--against: no 'kid2' was recorded after 2 steps; did you mean 'kid'"):
        raise run(tmp_path, "--against", "kid2").exception or AssertionError
