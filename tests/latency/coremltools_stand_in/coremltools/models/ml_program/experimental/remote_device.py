"""The iPhone of the stand-in: connected as long as devicectl says so."""

import enum
import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path


class DeviceType(enum.Enum):
    IPHONE = "iphone"


@dataclass
class AppSigningCredentials:
    development_team: str


@dataclass
class Device:
    udid: str

    @staticmethod
    def get_connected_devices(device_type):
        with tempfile.TemporaryDirectory() as folder:
            listing = Path(folder) / "devices.json"
            subprocess.run(["xcrun", "devicectl", "list", "devices", "--json-output", str(listing)], check=True)
            devices = json.loads(listing.read_text())["result"]["devices"]
        return [
            Device(device["hardwareProperties"]["udid"])
            for device in devices
            if device["hardwareProperties"]["deviceType"].lower() == device_type.value
            and device["connectionProperties"]["tunnelState"] == "connected"
        ]

    async def prepare_for_model_debugging(self, credentials, working_directory):
        assert working_directory.is_dir()
        if credentials.development_team != os.environ["STAND_IN_TEAM"]:
            raise ValueError(f"No signing certificate for team {credentials.development_team}\nmore of Xcode's words")
        return self
