"""OpenVINO without its usage reports.

Importing it, and nncf, sends a report to the makers over the network and leaves an identity in the home directory,
unasked. Both take a stub where their reporter cannot be imported.
"""

from __future__ import annotations

import sys
from typing import Any


def import_openvino() -> Any:
    """The package `openvino`. Everything here gets it from this function."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None: cannot be imported
    import openvino

    return openvino
