"""A kind of device: what its folder says about it to everybody else."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archlab.latency.network import Network
from archlab.latency.runner import DeviceStatus, Runner
from archlab.latency.settings import Settings
from archlab.progress import Progress

if TYPE_CHECKING:
    from archlab.convert import OperatorTime


@dataclass(frozen=True, kw_only=True)
class DeviceKind:
    """A kind of device, registered in `archlab.latency.devices.registry.KINDS`.

    Attributes:
        name: the word that a device's name begins with, before ``:`` or ``@``.
        usage: how a name is written, for messages: ``android[:SERIAL]``.
        pattern: a regular expression of the whole name; its groups are the arguments of ``runner``.
        runner: the device of a name. Constructing it is free and imports nothing heavy.
        names: the devices of this kind that can be named from here, for listings.
        unnamed: what a listing says of the devices whose names are not known here.
        names_a_file: what follows ``name:`` is a path, which a YAML gives relative to itself.
        is_this_computer: whoever measures on it needs nothing but this computer.
        channels_last: its runtime keeps feature maps as [B, H, W, C] within a network.
        profile: times a network operator by operator, the most expensive first; None where that is not possible.
    """

    name: str
    usage: str
    pattern: str
    runner: Callable[..., Runner]
    names: Callable[[], Sequence[str]]
    unnamed: DeviceStatus | None = None
    names_a_file: bool = False
    is_this_computer: bool = False
    channels_last: bool = False
    profile: "Callable[[Network, Settings, Progress], list[OperatorTime]] | None" = None


def kind_name(device: str) -> str:
    """The kind that a device's name begins with: ``android`` of ``android:R58``."""
    return re.split("[:@]", device)[0]
