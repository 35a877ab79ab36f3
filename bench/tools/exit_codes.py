"""Exit codes of the tools, as they say them."""

from __future__ import annotations

from typing import Final

DEVICE_FAILED: Final = 1
TOOL_EPILOG: Final = """exit codes: 0 done and good; 1 not trusted, not updated, or the meter does not behave; 2 wrong
use or a wrong file; 3 trouble with the port; 130 interrupted"""
FILE_EPILOG: Final = "exit codes: 0 done; 2 wrong use or a wrong file; 3 a file cannot be written"
"""Of tools that talk to no device."""
