"""The checks of this project; `nox --list` shows them, `nox -s tests` runs the tests on the Python that runs nox."""

import os
from pathlib import Path

import nox

PYTHONS = ["3.11", "3.12", "3.13"]
PYPROJECT = nox.project.load_toml("pyproject.toml")
PYTEST = ("python", "-m", "pytest")
FAST = ("-n", "auto", "--dist", "worksteal", "-m", "not slow")
TESTS = ("test", "ecosystem")

nox.needs_version = ">=2024.10"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["tests", "lint", "types", "layers"]


def install(session: nox.Session, *groups: str) -> None:
    """Install reamon as a user would get it, with every extra, and the packages of these dependency groups."""
    session.install(".[all]", *nox.project.dependency_groups(PYPROJECT, *groups))


@nox.session
def tests(session: nox.Session) -> None:
    """The tests, the slow ones left out, on the Python that runs nox."""
    install(session, *TESTS)
    session.run(*PYTEST, *FAST, *session.posargs)


@nox.session(name="tests-all", python=PYTHONS)
def tests_all(session: nox.Session) -> None:
    """The same tests on every Python that is supported."""
    install(session, *TESTS)
    session.run(*PYTEST, *FAST, *session.posargs)


@nox.session
def slow(session: nox.Session) -> None:
    """The slow tests: processes that are killed, many writers at once, whole campaigns."""
    install(session, *TESTS)
    session.run(*PYTEST, "-m", "slow", "--durations", "10", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Format and lint, with ruff."""
    session.install(*nox.project.dependency_groups(PYPROJECT, "lint"))
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Mypy, strict, over the package and over code that uses it (tests/typing)."""
    install(session, "types", "bench")
    session.run("mypy", *session.posargs)


@nox.session
def layers(session: nox.Session) -> None:
    """Import-linter: imports go down only."""
    install(session, "layers")
    session.run("lint-imports")


@nox.session
def docs(session: nox.Session) -> None:
    """Every Python block of README and docs, every example, and what the pages say about settings and commands."""
    install(session, *TESTS)
    session.run(*PYTEST, "tests/shape/test_documentation.py", "tests/shape/test_examples.py", *session.posargs)


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """The tests with the oldest dependencies that pyproject.toml allows, on the oldest Python."""
    session.install("uv")
    environment = ("--python", str(Path(session.bin) / "python"))
    session.run("uv", "pip", "install", *environment, "--resolution", "lowest-direct", ".[all]")
    session.run("uv", "pip", "install", *environment, *nox.project.dependency_groups(PYPROJECT, "test"))
    session.run(*PYTEST, "-n", "auto", "-m", "not slow and not current_sdk", *session.posargs)


@nox.session(name="langgraph-0.2", python=PYTHONS[0])
def langgraph_02(session: nox.Session) -> None:
    """The tests of graphs, orchestrators and the voicebot, with the langgraph of before 1.0."""
    session.install(
        ".[aiohttp,httpx,langgraph,ollama,otlp]", "langgraph==0.2.*", *nox.project.dependency_groups(PYPROJECT, "test")
    )
    places = ("langgraph", "orchestrator", "test_voicebot.py")
    paths = [f"tests/integrations/{place}" for place in places]
    session.run(*PYTEST, "-n", "auto", "-m", "not slow and not current_sdk", *paths, *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Lines and branches that the tests reach, properties with many examples; too few is a failure (pyproject.toml)."""
    install(session, *TESTS)
    session.env["HYPOTHESIS_PROFILE"] = "thorough"
    session.run(*PYTEST, *FAST, "--cov", "--cov-report", "term-missing", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """The promises about speed, measured beside other tracers; `nox -s bench -- --json` for a machine."""
    install(session, "bench")
    os.environ.setdefault("COLUMNS", "140")
    session.run("python", "-m", "benchmarks", *session.posargs)
