"""`qwenctl`, also called as `kubectl qwen`.

Little is imported at first: Ctrl-C while the rest is being read, for half a second, must end it
without a traceback.
"""

import signal
import sys


def program() -> str:
    """How the person called it."""
    called = sys.argv[0].rpartition("/")[2]
    return "kubectl qwen" if called.startswith("kubectl-") else "qwenctl"


def main() -> None:
    """Run one command; whatever it foresaw becomes one sentence and an exit code."""
    import typer  # noqa: PLC0415 - see above, and so the next four

    from qwen_operator.errors import OperatorError  # noqa: PLC0415
    from qwenctl.application import app  # noqa: PLC0415
    from qwenctl.exits import Exit  # noqa: PLC0415
    from qwenctl.output import complain, gone  # noqa: PLC0415

    try:
        typer.main.get_command(app).main(prog_name=program())
    except SystemExit as end:
        # What click itself writes, such as --help: without a reader it ends with 1.
        if isinstance(end.__context__, BrokenPipeError):
            raise gone(sys.stdout) from None
        raise
    except OperatorError as problem:
        complain(f"error: {problem}")
        sys.exit(getattr(problem, "code", Exit.USAGE))
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
    except UnicodeDecodeError as problem:
        complain(f"error: a file is not UTF-8 text: {problem}")
        sys.exit(Exit.USAGE)
    except OSError as problem:
        where = f"{problem.filename}: " if problem.filename else ""
        complain(f"error: {where}{problem.strerror or problem}")
        sys.exit(Exit.USAGE)


def run() -> None:
    """Run one command as a program, whose first and last moments show no traceback either."""
    # Ctrl-C ends the process at once meanwhile; one that ignores it goes on ignoring it.
    heeds = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    code: str | int | None = 0
    if heeds:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    import qwenctl.application  # noqa: F401, PLC0415

    if heeds:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        main()
    except SystemExit as end:
        code = end.code
    if heeds:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(code)


if __name__ == "__main__":
    run()
