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
from types import MappingProxyType

import typer

from nbo.cli.answers import failure
from nbo.errors import NboError

DEFECT = 70

COMMANDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "data": ("init", "simulate", "check", "tables"),
        "features": ("features",),
        "learning": ("train", "tune", "evaluate", "models", "promote", "rollback"),
        "using": ("score", "at-risk", "why", "serve"),
        "recommending": ("recommend", "replay"),
        "outcomes": ("outcomes",),
        "looking": ("report", "doctor", "demo"),
    }
)
"""The first words of commands by the module that has them."""


def command_line(words: Sequence[str] = ()) -> typer.Typer:
    """The commands; of modules only those that the words ask for, for each brings libraries of its own.

    Parameters
    ----------
    words : sequence of str
        A command line; where its first word is no command, all commands are there.
    """
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        help="Who is leaving or leaking, why, and what it is worth to keep them.",
    )
    # With one command alone in it, a command line would otherwise be that command.
    app.callback()(lambda: None)
    asked = {module for module, names in COMMANDS.items() if words and words[0] in names} or set(COMMANDS)
    if "data" in asked:
        from nbo.cli import data

        data.add_to(app)
    if "features" in asked:
        # The two others put their commands beside those of features.
        from nbo.cli import auditing, features, lineage  # noqa: F401

        features.add_to(app)
    if "learning" in asked:
        from nbo.cli import learning

        learning.add_to(app)
    if "using" in asked:
        from nbo.cli import using

        using.add_to(app)
    if "recommending" in asked:
        from nbo.cli import recommending

        recommending.add_to(app)
    if "outcomes" in asked:
        from nbo.cli import outcomes

        outcomes.add_to(app)
    if "looking" in asked:
        from nbo.cli import looking

        looking.add_to(app)
    return app


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
    except typer.Abort:
        return 130
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
