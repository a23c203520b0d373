import pytest
import torch

from archlab.latency import Latency, devices, measure
from tests.latency.contract import RunnerContract, convolutions


class TestContract(RunnerContract):
    told = frozenset({"first_run_ms", "peak_memory_mb", "parity_max_abs"})

    @pytest.fixture(scope="class")
    def device(self) -> str:
        return "torch"

    @pytest.fixture
    def crippled(self) -> str:
        if torch.cuda.is_available():
            pytest.skip("CUDA is not missing here")
        return "torch:cuda"

    def test_computes_what_torch_computes(self, measured: Latency) -> None:
        assert measured.parity_max_abs is not None
        assert measured.parity_max_abs < 1e-6


def test_half_precision_computes_in_half_precision_and_is_smaller() -> None:
    half, single = (
        measure(convolutions(), "torch", precision=precision, min_runs=2, min_seconds=0.0, quiet_timeout_s=0.0)
        for precision in ("fp16", "fp32")
    )
    assert half.parity_max_abs is not None
    assert 1e-6 < half.parity_max_abs < 1e-2
    assert single.model_mb - half.model_mb == pytest.approx(2 * 3 * 32 * 9 * 2 / 1e6, rel=0.2)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
class TestCudaContract(RunnerContract):
    told = TestContract.told

    @pytest.fixture(scope="class")
    def device(self) -> str:
        return "torch:cuda"

    @pytest.fixture
    def crippled(self, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.setattr(torch.version, "cuda", None)
        return "torch:cuda"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this computer has a GPU that torch can use")
def test_what_cuda_lacks_is_named() -> None:
    (status,) = (status for status in devices() if status.name == "torch:cuda")
    assert (status.missing, status.mend) in (
        ("an NVIDIA GPU that torch can use", "nvidia-smi tells whether its driver works"),
        (f"torch with CUDA (torch {torch.__version__} has none)", "see https://pytorch.org/get-started/locally"),
    )
