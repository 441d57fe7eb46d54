"""What a run was trained on: rounding, and so the last digits of a result, depend on it."""

import platform
from pathlib import Path
from typing import Any

import torch


def device(processes: int) -> dict[str, Any]:
    """Return kind, name and number of the devices, and the version of the driver where they are GPUs."""
    if torch.cuda.is_available():
        return {"kind": "gpu", "name": torch.cuda.get_device_name(), "count": processes, "driver": _driver()}
    return {"kind": "cpu", "name": _cpu(), "count": 1, "driver": ""}


def _cpu() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text(encoding="utf-8").splitlines() if information.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _driver() -> str:
    version = Path("/proc/driver/nvidia/version")
    words = version.read_text(encoding="utf-8").split() if version.exists() else []
    return next((word for word in words if word[0].isdigit() and "." in word), "")
