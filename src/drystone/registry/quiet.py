"""ONNX Runtime, imported so that it does not phone home.

From 1.29 on its Linux builds make an id of the machine, keep it below the user's home, and send events to
their maker unless this variable is set before the library starts. Drystone promises no telemetry.
"""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as failures

__all__ = ["failures", "onnxruntime"]
