"""``torch`` and ``torch:cuda``: eager torch on this computer."""

from archlab.latency.devices.kind import DeviceKind
from archlab.latency.devices.torch.runner import TorchRunner

KIND = DeviceKind(
    name="torch",
    usage="torch[:cuda]",
    pattern=r"torch(?::(cuda))?",
    runner=TorchRunner,
    names=lambda: ["torch", "torch:cuda"],
    is_this_computer=True,
)
