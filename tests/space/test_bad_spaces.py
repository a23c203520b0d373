"""Every mistake in a space YAML is one line: where it is, what is wrong, and the nearest thing that is right."""

from pathlib import Path

import pytest

from archlab.architecture import preset, save
from archlab.errors import BadInput
from archlab.study.definition import load_definition
from tests.space.conftest import GOOD, Refuse


def knobs(text: str) -> str:
    """The knobs begin at 2:9."""
    return GOOD.replace("conv: [standard, separable], ff_ratio: [4, 8]", text)


def test_the_good_one_is_good(tmp_path: Path) -> None:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD, encoding="utf-8")
    assert load_definition(path).space.size == 4


def test_numbers_are_read_the_same_everywhere(tmp_path: Path) -> None:
    path = tmp_path / "exponents.yaml"
    path.write_text(
        "baseline: tiny\nknobs: {width: [5e-1, 1]}\nproxy: {data: digits, learning_rate: 5e-1}\n", encoding="utf-8"
    )
    definition = load_definition(path)
    assert definition.space.knobs["width"].values == (0.5, 1)
    assert definition.settings.proxy.learning_rate == 0.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cov: [standard]", "2:9: knobs.cov: unknown knob; did you mean 'conv'?"),
        ("kv_shared: [self]", "2:9: knobs.kv_shared: unknown knob; did you mean 'kv_sharing'?"),
        ("foo: [1]", "2:9: knobs.foo: unknown knob; valid: attention_normalizer, channels"),
        ("conv: [standard, seperable]", "2:26: knobs.conv[1]: no 'seperable'; did you mean 'separable'?"),
        ("conv: {choices: [seperable]}", "2:26: knobs.conv.choices[0]: no 'seperable'; did you mean 'separable'?"),
        ("ff_activation: [gleu]", "2:25: knobs.ff_activation[0]: no 'gleu'; did you mean 'gelu'?"),
        ("channels: [[64, 128]]", "2:20: knobs.channels[0]: channels: 3 stages need as many numbers, got 2"),
        ("conv: []", "2:15: knobs.conv: takes a list of values"),
        ("conv: standard", "2:15: knobs.conv: takes a list of values"),
        ("conv: null", "2:15: knobs.conv: takes a list of values"),
        ("conv: {choices: {}}", "2:25: knobs.conv.choices: takes a list of values"),
        ("conv: {chocies: [standard]}", "2:16: knobs.conv.chocies: unknown key"),
        ("conv: {choices: [standard], wen: {}}", "2:37: knobs.conv.wen: unknown key; did you mean 'when'?"),
        ("conv: [standard, standard]", "2:26: knobs.conv[1]: 'standard' is there twice"),
        ("ff_ratio: [8, 8.0]", "2:23: knobs.ff_ratio[1]: 8.0 is there twice"),
        ("ff_ratio: {low: 4}", "2:19: knobs.ff_ratio: a range needs low and high; high is missing"),
        ("ff_ratio: {low: 8, high: 4}", "2:34: knobs.ff_ratio.high: 4 is below low, 8"),
        ("ff_ratio: {low: 4, high: 8, step: 3}", "2:34: knobs.ff_ratio.high: 8 is not low 4 plus"),
        ("ff_ratio: {low: 4, high: 8, step: 0}", "2:43: knobs.ff_ratio.step: must be positive but is 0"),
        ("ff_ratio: {low: 4, high: '8'}", "2:34: knobs.ff_ratio.high: must be a number, not '8'"),
        ("ff_ratio: {low: true, high: 8}", "2:25: knobs.ff_ratio.low: must be a number, not True"),
        ("ff_ratio: {low: 4, high: 8, step: 0.001}", "2:19: knobs.ff_ratio: more than 1000 values"),
        ("ff_ratio: {low: -4, high: 8}", "2:19: knobs.ff_ratio: takes a number from 0"),
        ("ff_ratio: [.nan]", "2:20: knobs.ff_ratio[0]:"),
        ("ff_ratio: [.inf]", "2:20: knobs.ff_ratio[0]:"),
        ("ff_ratio: [1.0e+308]", "2:20: knobs.ff_ratio[0]:"),
        ("ff_ratio: {low: .nan, high: 8}", "2:25: knobs.ff_ratio.low"),
        ("ff_ratio: {low: 4, high: .nan}", "2:34: knobs.ff_ratio.high"),
        ("ff_ratio: {low: 4, high: 8, step: .nan}", "2:43: knobs.ff_ratio.step"),
        ("ff_ratio: {low: 4, high: 8, step: .inf}", "knobs.ff_ratio"),
        ("width: [1.0e+308]", "2:17: knobs.width[0]:"),
        ("transformers: [[1, 1]]", "2:24: knobs.transformers[0]: takes a word"),
        ("width: [0x" + "f" * 5_000 + "]", "2:17: a number of 5,002 digits"),
        ("width: [1:30]", "2:17: not YAML: 1:30 is no number of YAML 1.2"),
        (
            "conv: [" + "x" * 5_000 + "]",
            f"2:16: knobs.conv[0]: no '{'x' * 97}...{'x' * 98}'; valid: separable, separable_expanded, standard",
        ),
        ("res_blocks: [2/3, 1]", "2:27: knobs.res_blocks[1]: takes one 'down/up'"),
    ],
)
def test_knobs_and_values(text: str, message: str, refuse: Refuse) -> None:
    assert message in refuse(knobs(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "conv: {choices: [standard], when: {ff_ration: 8}}, ff_ratio: [4, 8]",
            "2:44: knobs.conv.when.ff_ration: a condition on 'ff_ration', which is not a knob of this space; "
            "did you mean 'ff_ratio'?",
        ),
        (
            "conv: {choices: [standard], when: {width: 1}}",
            "2:44: knobs.conv.when.width: a condition on 'width', which is not a knob of this space; valid: conv",
        ),
        (
            "conv: {choices: [standard], when: {ff_ratio: 7}}, ff_ratio: [4, 8]",
            "2:54: knobs.conv.when.ff_ratio: ff_ratio has no value 7",
        ),
        (
            "conv: {choices: [standard], when: {ff_ratio: [4, 7]}}, ff_ratio: [4, 8]",
            "2:54: knobs.conv.when.ff_ratio: ff_ratio has no value 7",
        ),
        ("conv: {choices: [standard], when: {ff_ratio: []}}, ff_ratio: [4, 8]", "2:54: knobs.conv.when.ff_ratio"),
        ("conv: {choices: [standard], when: {}}", "2:43: knobs.conv.when: takes {other_knob: value}"),
        ("conv: {choices: [standard], when: ff_ratio}", "2:43: knobs.conv.when: takes {other_knob: value}"),
        (
            "conv: {choices: [standard], when: {conv: standard}}",
            "2:43: knobs.conv.when: the conditions go in a circle",
        ),
        (
            "conv: {choices: [standard], when: {ff_ratio: 4}}, ff_ratio: {choices: [4], when: {conv: standard}}",
            "when: the conditions go in a circle",
        ),
        (
            "conv: {choices: [standard], when: {ff_ratio: 4}}, ff_ratio: {choices: [4], when: {width: 1}}, "
            "width: {choices: [1], when: {conv: standard}}",
            "when: the conditions go in a circle",
        ),
    ],
)
def test_conditions(text: str, message: str, refuse: Refuse) -> None:
    assert message in refuse(knobs(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "require: [\"con == 'standard'\"]",
            "4:11: require[0]: 'con' is not a knob of this space; did you mean 'conv'?",
        ),
        ("require: ['1 == 1', 'conv ==']", "4:21: require[1]: not an expression"),
        ("require: [open('x')]", "4:11: require[0]: call is not allowed"),
        ("require: [conv.upper]", "4:11: require[0]: attribute is not allowed"),
        ("require: [conv > 1]", "4:10: require: 'conv > 1' cannot be evaluated"),
        ("require: [ff_ratio == 7]", "4:10: require: no combination of knob values meets all of them"),
        ("require: ['ff_ratio > 4', 'ff_ratio < 8']", "4:10: require: no combination"),
        ("require: conv", "4:10: require: "),
        ("require: [3]", "4:11: require[0]: "),
        ("require: null", "4:10: require: "),
    ],
)
def test_requirements(text: str, message: str, refuse: Refuse) -> None:
    assert refuse(GOOD + text + "\n").startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("searc: {trials: 3}", "4:1: searc: unknown key; did you mean 'search'?"),
        ("foo: 3", "4:1: foo: unknown key; valid: baseline, constraints, knobs"),
        ("3: 3", "4:"),
        ("search: {trails: 3}", "4:10: search.trails: unknown key; did you mean 'trials'?"),
        ("search: {strategy: nsga4}", "4:20: search.strategy: no 'nsga4'; did you mean 'nsga3'?"),
        ("search: {trials: 0}", "4:18: search.trials: Input should be greater than or equal to 1, not 0"),
        ("search: {trials: 010}", "4:18: not YAML: 010 is no number of YAML 1.2"),
        ("search: {stop: {hours: 1:30}}", "4:24: not YAML: 1:30 is no number of YAML 1.2"),
        ("search: {trials: many}", "4:18: search.trials: "),
        ("search: {trials: 2.5}", "4:18: search.trials: "),
        ("search: {trials: true}", "4:18: search.trials: "),
        ("search: {seed: -1}", "4:16: search.seed: "),
        ("search: tpe", "4:9: search: "),
        ("measure: [{device: tflight}]", "4:20: measure[0].device: no 'tflight'; did you mean 'tflite'?"),
        ("measure: [{thread: 2}]", "4:12: measure[0].thread: unknown key; did you mean 'threads'?"),
        ("measure: [{threads: 0}]", "4:21: measure[0].threads: "),
        ("measure: {device: tflite}", "4:10: measure: "),
        ("measure: [{device: tflite:2}, {device: andorid}]", "4:40: measure[1].device: no 'andorid'; did you mean"),
        ("measure: [{}, {}]", "4:15: measure[1].name: 'tflite' is there twice; give each entry a name of its own"),
        ("measure: [{name: a}, {name: a}]", "4:29: measure[1].name: 'a' is there twice"),
        ("measure: [{name: my phone}]", "4:18: measure[0].name: "),
        ("measure: [{precision: fp8}]", "4:23: measure[0].precision: no 'fp8'; valid: fp16, fp32, int8"),
        ("measure: [{attention: plane}]", "4:23: measure[0].attention: no 'plane'; did you mean 'plain'?"),
        ("measure: [{min_runs: 1}]", "4:22: measure[0].min_runs: "),
        ("measure: [{table: a.json}]", "4:19: measure[0].table: "),
        ("measure: [{device: 'replay:a.json'}]", "4:20: measure[0].device: "),
        ("target: {sample_siz: 3}", "4:10: target.sample_siz: unknown key; did you mean 'sample_size'?"),
        ("target: {sample_size: 30}", "4:9: target: sample_size: 30 cannot be halved 2 times"),
        ("target: {sample_size: 0}", "4:23: target.sample_size: "),
        ("target: {context: {length: 0, dim: 3}}", "4:28: target.context.length: "),
        ("target: {context: {length: 3}}", "4:10: target.context.dim: is missing"),
        ("constraints: {params: {max: 3}}", "4:15: constraints.params: unknown key; did you mean 'params_m'?"),
        ("constraints: {params_m: {mx: 3, max: 3}}", "4:26: constraints.params_m.mx: unknown key; did you mean 'max'?"),
        ("constraints: {params_m: {}}", "4:15: constraints.params_m.max: is missing"),
        ("constraints: {latency_ms: {max: 3, device: tflit}}", "4:44: constraints.latency_ms.device: no 'tflit'"),
        ("constraints: {latency_ms: [{max: 3, device: tflit}]}", "4:45: constraints.latency_ms[0].device: no 'tflit'"),
        ("constraints: {latency_ms: {maxi: 3}}", "4:28: constraints.latency_ms.maxi: unknown key; did you mean 'max'?"),
        ("constraints: {latency_ms: {max: '%'}}", "4:33: constraints.latency_ms.max: a limit is a number or a share"),
        (
            "constraints: {latency_ms: [{max: 3}, {max: 2, device: tflite}]}",
            "4:55: constraints.latency_ms[1].device: a second limit on 'tflite'",
        ),
        (
            "constraints: {latency_ms: {max: 3}}\nmeasure: []\nobjectives: [quality]",
            "4:27: constraints.latency_ms: needs an entry under measure",
        ),
        ("constraints: null", "4:14: constraints: "),
    ],
)
def test_sections(text: str, message: str, refuse: Refuse) -> None:
    assert refuse(GOOD + text + "\n").startswith(message)


@pytest.mark.parametrize(
    "limit", ["'abc%'", "'%'", "'-5%'", "'0%'", "'nan%'", "'60'", "sixty", "'60 percent'", "'%60'"]
)
def test_malformed_limits_say_what_a_limit_is(limit: str, refuse: Refuse) -> None:
    message = refuse(f"{GOOD}constraints: {{macs_g: {{max: {limit}}}}}\n")
    assert message.startswith("4:29: constraints.macs_g.max: a limit is a number or a share of the baseline like '60%'")


@pytest.mark.parametrize("limit", ["-1", "0", ".nan", "[1]", "{a: 1}", "null", "true"])
def test_limits_of_the_wrong_kind(limit: str, refuse: Refuse) -> None:
    assert refuse(f"{GOOD}constraints: {{macs_g: {{max: {limit}}}}}\n").startswith("4:29: constraints.macs_g.max: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("objectives: [qualty]", "4:14: objectives[0]: no 'qualty'; did you mean 'quality'?"),
        ("objectives: [quality, latency]", "4:23: objectives[1]: no 'latency'; did you mean 'latency_ms'?"),
        ("objectives: [quality, latency_ms_tflite]", "4:23: objectives[1]: no 'latency_ms_tflite'; did you mean"),
        ("objectives: quality", "4:13: objectives: "),
        ("objectives: []", "4:13: objectives: "),
        ("objectives: [latency_ms]", "objectives: quality must be one of them"),
        ("objectives: [quality, quality]", "objectives: one is there twice"),
        ("measure: []", "objectives: latency_ms (the default) needs an entry under measure; or name others"),
    ],
)
def test_objectives(text: str, message: str, refuse: Refuse) -> None:
    assert message in refuse(GOOD + text + "\n")


@pytest.mark.parametrize("text", ["objectives: [latency_ms]", "objectives: [quality, quality]"])
def test_wrong_objectives_are_shown_where_they_are(text: str, refuse: Refuse) -> None:
    assert refuse(GOOD + text + "\n").startswith("4:")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{data: digit}", "3:15: proxy.data: no 'digit', nor is it a path; did you mean 'digits'?"),
        ("{data: digits, vae: ./vae}", "3:28: proxy.vae: no such path: './vae'"),
        ("{data: digits, rung: [3]}", "3:23: proxy.rung: unknown key; did you mean 'rungs'?"),
        ("{data: digits, rungs: [3, 2]}", "rungs must rise but are [3, 2]"),
        ("{data: digits, rungs: [2, 2]}", "rungs must rise but are [2, 2]"),
        ("{data: digits, rungs: []}", "3:30: proxy.rungs: "),
        ("{data: digits, rungs: [0, 2]}", "3:31: proxy.rungs[0]: "),
        ("{data: digits, quality: fd}", "3:32: proxy.quality: no 'fd'; did you mean 'fid'?"),
        ("{data: digits, scale: 0.1}", "3:30: proxy.scale: "),
        ("{data: digits, scale: {widht: 0.1}}", "3:31: proxy.scale.widht: unknown key; did you mean 'width'?"),
        ("{data: digits, learning_rate: fast}", "3:38: proxy.learning_rate: "),
        ("{data: digits, guidance: 0.5}", "3:33: proxy.guidance: "),
        ("{rungs: [3]}", "3:1: proxy.data: is missing"),
        ("null", "3:8: proxy: "),
        ("digits", "3:8: proxy: "),
    ],
)
def test_proxy(text: str, message: str, refuse: Refuse) -> None:
    assert message in refuse(GOOD.replace("{data: digits}", text))


@pytest.mark.parametrize(
    ("line", "message"),
    [(0, "baseline: is missing"), (1, "knobs: is missing"), (2, "proxy: is missing")],
)
def test_missing_sections(line: int, message: str, refuse: Refuse) -> None:
    lines = GOOD.splitlines(keepends=True)
    del lines[line]
    assert message in refuse("".join(lines))


@pytest.mark.parametrize(
    ("good", "typo", "line"),
    [("baseline:", "baselin:", 1), ("knobs:", "knob:", 2), ("proxy:", "poxy:", 3), ("data:", "dta:", 3)],
)
def test_misspelt_required_key_names_the_nearest(good: str, typo: str, line: int, refuse: Refuse) -> None:
    message = refuse(GOOD.replace(good, typo))
    assert message.startswith(f"{line}:")
    assert f"did you mean {good.rstrip(':')!r}" in message


def test_no_knobs(refuse: Refuse) -> None:
    assert refuse(knobs("")).startswith("2:8: knobs: at least one knob is needed")
    assert refuse(GOOD.replace("{conv: [standard, separable], ff_ratio: [4, 8]}", "[conv]")).startswith("2:8: knobs: ")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "tinny",
            "1:11: baseline: 'tinny' is neither a preset nor an architecture YAML nor a diffusers folder; "
            "did you mean 'tiny'?",
        ),
        ("nowhere.yaml", "nowhere.yaml: no such file"),
        ("some/folder", "1:11: baseline: 'some/folder' is neither a preset nor an architecture YAML"),
        ("15", "1:11: baseline: takes a preset, a path, or {preset, width}, not 15"),
        ("[tiny]", "1:11: baseline: "),
        ("null", "1:11: baseline: "),
        ('"a\\0b.yaml"', "1:11: baseline: "),
        ("2024-13-45", ""),
    ],
)
def test_baseline_that_is_not_there(name: str, message: str, refuse: Refuse) -> None:
    assert message in refuse(GOOD.replace("tiny", name, 1))


def test_baseline_file_is_found_beside_the_space(tmp_path: Path) -> None:
    save(preset("sd21"), tmp_path / "mein Netz.yaml")
    (tmp_path / "space.yaml").write_text(GOOD.replace("tiny", "mein Netz.yaml", 1), encoding="utf-8")
    assert load_definition(tmp_path / "space.yaml").space.baseline == preset("sd21")


def test_broken_baseline_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("sample_size: 8\nstages: []\nmiddle: []\n", encoding="utf-8")
    (tmp_path / "space.yaml").write_text(GOOD.replace("tiny", "broken.yaml", 1), encoding="utf-8")
    with pytest.raises(BadInput, match=r"space\.yaml:1:11: baseline: .*broken\.yaml: stages: at least one is needed"):
        load_definition(tmp_path / "space.yaml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("# only a comment\n", "is empty"),
        ("- a\n", "is not a mapping"),
        ("tiny\n", "is not a mapping"),
        (b"baseline: \xff\n", "not a UTF-8 text file"),
        ("baseline: tiny\nknobs: {conv: [standard\n", "3:1: not YAML"),
        ("baseline: tiny\n\tknobs: 3\n", "2:1: not YAML"),
        (GOOD + "---\n" + GOOD, "4:1: not YAML"),
        (GOOD + "baseline: sd15\n", "4:1: baseline is there twice"),
        (knobs("conv: [standard], conv: [separable]"), "2:27: conv is there twice"),
        (GOOD + "search: !!python/object/apply:os.getcwd []\n", "4:9: not YAML"),
        (GOOD + "search: *nowhere\n", "4:9: not YAML"),
        (GOOD + "search: {trials: !!int many}\n", ""),
        (GOOD + "search: {trials: !!float many}\n", ""),
        (GOOD + "search: {trials: !!bool many}\n", ""),
        (GOOD + "search: {trials: !!timestamp many}\n", ""),
        (GOOD + "search: \x00\n", "not YAML"),
        (GOOD + "? [a, b]\n: c\n", "4:"),
        (GOOD + "? {a: b}\n: c\n", "4:"),
        (GOOD + "search: &loop [*loop]\n", ""),
        (GOOD + "search: {trials: " + "9" * 5000 + "}\n", ""),
        (GOOD + "search: {trials: 2024-02-31}\n", ""),
        (GOOD + "search: " + "[" * 3000, ""),
    ],
    ids=[
        *("empty", "comment", "list", "word", "not utf-8", "open bracket", "tab", "two documents", "repeated key"),
        *(
            "repeated knob",
            "python object",
            "unknown alias",
            "int",
            "float",
            "bool",
            "timestamp",
            "nul",
            "list as key",
            "mapping as key",
            "recursive",
        ),
        *("digits", "date", "deep"),
    ],
)
def test_files_that_are_no_space(content: str | bytes, message: str, refuse: Refuse) -> None:
    assert message in refuse(content)


def test_absent_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"kein Raum\.yaml: no such file$"):
        load_definition(tmp_path / "kein Raum.yaml")
    with pytest.raises(BadInput, match="directory"):
        load_definition(tmp_path)
