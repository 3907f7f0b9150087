"""The promises about speed, measured: `nox -s bench`, or `python -m benchmarks`.

Each scenario is a module that measures every tracer in a process of its own, several rounds, interleaved, so that
what else the machine does meets all alike. What is promised are ratios between medians of one run.
"""
