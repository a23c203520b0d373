from pathlib import Path

import pytest

from archlab.architecture import preset
from archlab.cost import count
from archlab.space import ladder_costs, load_space, survey
from archlab.study.definition import load_definition
from archlab.study.limits import cost_limits

FOLDER = Path(__file__).parents[2] / "search_spaces"
SHIPPED = sorted(path.name for path in FOLDER.glob("*.yaml"))


def test_there_are_shipped_spaces() -> None:
    assert {"mobilediffusion.yaml", "quickstart.yaml"} <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_space_loads_and_can_be_met(name: str) -> None:
    definition = load_definition(FOLDER / name)
    space = definition.space
    assert space.name == Path(name).stem
    result = survey(space, cost_limits(definition))
    assert result.within > 0
    assert 0 < result.params_m.low < result.params_m.middle <= result.params_m.high
    assert 0 < result.macs_g.low < result.macs_g.middle <= result.macs_g.high
    for seed in range(20):
        assert result.params_m.low <= count(space.sample(seed)).params_m


def test_mobilediffusions_baseline_is_stable_diffusion_and_is_in_the_space() -> None:
    space = load_space(FOLDER / "mobilediffusion.yaml")
    assert space.baseline == preset("sd15")
    assert space.spec(space.baseline_values) == preset("sd15")
    # 6 placements × 3 self-attention less the one forbidden pair; then every other knob's values multiplied.
    assert space.size == (6 * 3 - 1) * 3 * 3 * 3 * 3 * 5 * 2 * 5 * 3


def test_path_may_be_text_with_spaces_and_umlauts(tmp_path: Path) -> None:
    target = tmp_path / "Suchräume für's Telefon" / "mein Raum 学习.yaml"
    target.parent.mkdir()
    target.write_bytes((FOLDER / "quickstart.yaml").read_bytes())
    assert load_space(str(target)).name == "mein Raum 学习"


def test_the_ladder_ends_where_its_steps_lead() -> None:
    """Worked by hand from Stable Diffusion's layers; see docs/mobilediffusion.md."""
    definition = load_definition(FOLDER / "mobilediffusion_ladder.yaml")
    costs = {row.step: row for row in ladder_costs(definition.space, definition.settings.ladder)}
    assert costs["baseline"].params_m == pytest.approx(859.520964)
    # 10 at 640, 10 at 1024 and 14 in the middle; the shared projection is channels² in the 14 that keep theirs.
    shared = costs["no self-attention at high resolution"].params_m - costs["shared keys and values"].params_m
    assert shared == pytest.approx(14 * 1024**2 / 1e6)
    # Two rows of 2·(8−6)/2 … : expand loses 2·c·c weights and 2·c biases, contract c·c weights, of every transformer.
    trimmed = costs["softmax to relu"].params_m - costs["narrower feed-forward"].params_m
    assert trimmed == pytest.approx(sum(n * (3 * c * c + 2 * c) for n, c in ((5, 640), (5 + 14, 1024))) / 1e6)
    assert costs["gelu to swish"].params_change == costs["softmax to relu"].macs_change == 0
    last = costs["fewer residual blocks"]
    assert (last.params_change, last.macs_change) == (last.params_change_last, last.macs_change_last)


def test_the_documented_ladder_is_the_computed_one() -> None:
    page = (FOLDER.parent / "docs" / "mobilediffusion.md").read_text(encoding="utf-8")
    definition = load_definition(FOLDER / "mobilediffusion_ladder.yaml")
    for row in ladder_costs(definition.space, definition.settings.ladder):
        line = next(line for line in page.splitlines() if line.startswith(f"| {row.step} |"))
        shares = (row.params_change, row.macs_change, row.params_change_last, row.macs_change_last)
        expected = [f"{row.params_m:.0f}", f"{row.macs_g:.0f}", *("" if s is None else f"{s:+.1%}" for s in shares)]
        assert [cell.strip() for cell in line.split("|")[2:8]] == expected
