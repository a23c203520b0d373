from pathlib import Path

import pytest

from archlab.architecture import preset
from archlab.cost import count
from archlab.space import load_space, survey

FOLDER = Path(__file__).parents[2] / "search_spaces"
SHIPPED = sorted(path.name for path in FOLDER.glob("*.yaml"))


def test_there_are_shipped_spaces() -> None:
    assert {"mobilediffusion.yaml", "quickstart.yaml"} <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_space_loads_and_can_be_met(name: str) -> None:
    space = load_space(FOLDER / name)
    assert space.name == Path(name).stem
    result = survey(space)
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
