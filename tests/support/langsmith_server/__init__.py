"""A local LangSmith that is as strict as the real one, and that fails in every way a test asks for.

It stores the runs it is sent, checks them as the service does, answers reads, and speaks plain HTTP on 127.0.0.1:

    with LangSmithServer(api_key="lsv2_pt_test") as server:
        exporter = LangSmithExporter("lsv2_pt_test", server.url)
        server.fault = Fault.UNAVAILABLE  # from now on ...
        server.fault = Fault.NONE  # ... until here
        assert server.wait_for(2000)
        assert set(server.writes.values()) == {1}
        assert server.violations == []

What was stored is in `runs`, `writes`, `orphans` and `feedback`; what was asked in `requests`; what was refused because
it was wrong in `violations`. For tests that kill their own process, `ServerProcess` runs it in another one.
"""

from .faults import Fault
from .process import ServerProcess
from .server import LangSmithServer
from .traffic import Request
from .violations import Violation

__all__ = ["Fault", "LangSmithServer", "Request", "ServerProcess", "Violation"]
