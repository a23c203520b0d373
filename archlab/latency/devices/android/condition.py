"""What an Android phone is, and whether it is in a condition to be measured on."""

import re
from dataclasses import dataclass

from archlab.latency.devices.android.adb import Phone

COOL_BATTERY_C = 38.0
LOW_BATTERY_PERCENT = 20

_THERMAL = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
_BATTERY = ("level", "scale", "temperature")
_EMULATED_HARDWARE = ("goldfish", "ranchu", "cutf", "vbox")
_LIST_CORES = (
    "for core in /sys/devices/system/cpu/cpu[0-9]*; do "
    'echo "${core##*/cpu} $(cat $core/cpufreq/cpuinfo_max_freq) $(cat $core/cpufreq/scaling_governor)"; '
    "done 2>/dev/null"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a phone calls itself; empty where it does not tell."""

    manufacturer: str
    model: str
    chip: str
    android: str
    build: str
    abi: str
    emulator: bool


def read_identity(phone: Phone) -> Identity:
    """An emulator shows by QEMU's property, its hardware's name, a generic build or the serial that adb gives it."""
    properties = dict(re.findall(r"^\[(.+?)\]: \[(.*)\]$", phone.shell("getprop").text, re.MULTILINE))
    build = properties.get("ro.build.fingerprint", "")
    return Identity(
        manufacturer=properties.get("ro.product.manufacturer", ""),
        model=properties.get("ro.product.model", ""),
        chip=properties.get("ro.soc.model") or properties.get("ro.board.platform", ""),
        android=properties.get("ro.build.version.release", ""),
        build=build,
        abi=properties.get("ro.product.cpu.abi", ""),
        emulator="1" in (properties.get("ro.kernel.qemu"), properties.get("ro.boot.qemu"))
        or properties.get("ro.hardware", "").startswith(_EMULATED_HARDWARE)
        or build.startswith("generic")
        or phone.serial.startswith("emulator-"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """The phone at one moment. What it does not tell is None.

    Attributes:
        thermal: Android's own word for how much it throttles, ``none`` when it does not.
        governors: the frequency governors of all cores, without repetition.
    """

    battery_percent: int | None
    battery_c: float | None
    thermal: str | None
    power_saver: bool
    screen_on: bool | None
    governors: str | None

    @property
    def unfit(self) -> str:
        """What slows it down until its owner acts; empty when nothing does."""
        if self.power_saver:
            return "it saves power; turn the battery saver off"
        if self.battery_percent is not None and self.battery_percent < LOW_BATTERY_PERCENT:
            return f"its battery is at {self.battery_percent} %; charge it to {LOW_BATTERY_PERCENT} % at least"
        return ""

    @property
    def hot(self) -> str:
        """What slows it down until it has cooled; empty when nothing does."""
        if self.thermal not in (None, "none"):
            return f"it throttles because it is hot ({self.thermal}); let it cool down"
        if self.battery_c is not None and self.battery_c > COOL_BATTERY_C:
            return f"its battery has {self.battery_c:.1f} °C, more than {COOL_BATTERY_C:.0f} °C; let it cool down"
        return ""


def read_condition(phone: Phone) -> Condition:
    """Wake the screen, then read battery, temperature, power saver, screen and governors."""
    printed = _printed(
        phone,
        wake="input keyevent KEYCODE_WAKEUP",
        battery="dumpsys battery",
        thermal="dumpsys thermalservice",
        power="dumpsys power | grep mWakefulness=",
        saver="settings get global low_power",
        cores=_LIST_CORES,
    )
    battery = dict(re.findall(r"^ *(\w+): (-?\d+)$", printed["battery"], re.MULTILINE))
    level, scale, tenths = (int(battery[name]) if name in battery else None for name in _BATTERY)
    throttling = re.search(r"Thermal Status: (\d)", printed["thermal"])
    wakefulness = re.search(r"mWakefulness=(\w+)", printed["power"])
    return Condition(
        battery_percent=None if level is None else round(100 * level / (scale or 100)),
        battery_c=None if tenths is None else tenths / 10,
        thermal=_THERMAL[min(int(throttling[1]), len(_THERMAL) - 1)] if throttling else None,
        power_saver=printed["saver"].strip() == "1",
        screen_on=wakefulness[1] == "Awake" if wakefulness else None,
        governors=", ".join(sorted({core.governor for core in _cores(printed["cores"])})) or None,
    )


@dataclass(frozen=True, slots=True)
class Core:
    """A processor core."""

    number: int
    max_khz: int
    governor: str


def read_cores(phone: Phone) -> list[Core]:
    """The cores whose frequencies the phone tells."""
    return _cores(phone.shell(_LIST_CORES).text)


def big_cores(cores: list[Core], threads: int) -> tuple[int, ...]:
    """The fastest cores, whole clusters of equal frequency, until there is one for every thread."""
    chosen: list[Core] = []
    for khz in sorted({core.max_khz for core in cores}, reverse=True):
        if len(chosen) < threads:
            chosen += [core for core in cores if core.max_khz == khz]
    return tuple(sorted(core.number for core in chosen))


def _cores(listing: str) -> list[Core]:
    rows = re.findall(r"^(\d+) (\d+) (\w+)$", listing, re.MULTILINE)
    return [Core(int(number), int(khz), governor) for number, khz, governor in rows]


def _printed(phone: Phone, **commands: str) -> dict[str, str]:
    """What each command prints, all in one go: a connection takes longer than most of them."""
    marker = "-- archlab --"
    text = phone.shell("; ".join(f"{command}; echo '{marker}'" for command in commands.values())).text
    return dict(zip(commands, text.replace("\r", "").split(f"{marker}\n"), strict=False))
