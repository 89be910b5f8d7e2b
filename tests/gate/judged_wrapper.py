"""`mcpobs instrument` with the test judge: python judged_wrapper.py LAKE ON_ERROR [--propagate] -- COMMAND…"""

import sys

from mcpobs.proxy.stdio import InstrumentOptions, instrument
from tests.gate.judges import ByName


def main() -> None:
    end = sys.argv.index("--")
    lake, on_error, *flags = sys.argv[1:end]
    options = InstrumentOptions(tuple(sys.argv[end + 1 :]), lake, "scripted", "--propagate" in flags)
    instrument(options, ByName("allow" if on_error == "allow" else "deny"))


if __name__ == "__main__":
    main()
