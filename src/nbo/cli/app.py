"""The ``nbo`` command: its groups, and how every ending becomes an exit code.

0 ok · 1 a check failed · 2 usage or data error, one line · 70 a defect of ours, with its log ·
75 busy.
"""

import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import typer

from nbo.cli import auditing, data, features, lineage, outcomes  # noqa: F401 - auditing and lineage join features
from nbo.cli.answers import failure
from nbo.errors import NboError

DEFECT = 70


def command_line(words: Sequence[str] = ()) -> typer.Typer:
    """The commands; those that bring the libraries that learn and draw only where the words may ask for them.

    Parameters
    ----------
    words : sequence of str
        A command line; empty = all commands are there.
    """
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        help="Who is leaving or leaking, why, and what it is worth to keep them.",
    )
    data.add_to(app)
    features.add_to(app)
    outcomes.add_to(app)
    if words and words[0] in named_commands(app):
        return app
    from nbo.cli import learning, looking, recommending, using

    learning.add_to(app)
    using.add_to(app)
    recommending.add_to(app)
    looking.add_to(app)
    return app


def named_commands(app: typer.Typer) -> Mapping[str, object]:
    """The commands and groups of an app by their first words."""
    commands: Mapping[str, object] = getattr(typer.main.get_command(app), "commands", {})
    return commands


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(run(words))


def run(words: list[str]) -> int:
    """Run one command; returns the exit code. Everything foreseen is told in one line."""
    as_json = "--json" in words or "--format=json" in words or ("--format", "json") in pairwise(words)
    try:
        code = command_line(words)(words, standalone_mode=False)
        return code if isinstance(code, int) else 0
    except NboError as error:
        return failure(str(error), error.exit_code, as_json)
    except typer.Exit as ending:
        return ending.exit_code
    except typer.TyperException as error:
        return misused(error.format_message(), as_json)
    except KeyboardInterrupt:
        return failure("interrupted", 130, as_json)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception:  # noqa: BLE001 - the one place where a defect becomes exit code 70
        log = write_log(words)
        return failure(f"a defect of ours, sorry; the details are in {log}", DEFECT, as_json)


def misused(message: str, as_json: bool) -> int:
    """A wrong command line in one line; a command group without a command shows its help."""
    if message.startswith("Usage:") and not as_json:
        print(message, file=sys.stderr)
        return 2
    return failure(message, 2, as_json)


def write_log(words: Sequence[str]) -> Path:
    """The traceback, in a file of the current folder's ``runs/`` or of the temporary folder."""
    for folder in (Path("runs"), Path(os.environ.get("TMPDIR", "/tmp"))):
        log = folder / f"nbo-defect-{os.getpid()}.log"
        try:
            folder.mkdir(exist_ok=True)
            log.write_text(f"nbo {' '.join(words)}\n\n{traceback.format_exc()}")
        except OSError:
            continue
        return log
    return Path("-")
