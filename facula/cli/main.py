"""The command `facula`: finds the subcommand, and turns every usage error into one line."""

import importlib
import sys
from typing import NoReturn

import click

from facula.cli.info import version_of

_COMMANDS = {
    "run": ("facula.cli.run", "Run a PyTorch script, unmodified."),
    "train": ("facula.cli.train", "Train a network on images."),
    "new": ("facula.cli.new", "Make a small project that trains."),
    "info": ("facula.cli.info", "Show versions, engines and the machine."),
}


class _OnDemand(click.Group):
    """Loads a subcommand when it is asked for: `facula run` need not load what `train` needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        return importlib.import_module(_COMMANDS[cmd_name][0]).command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


def _show_version(ctx: click.Context, param: click.Parameter, asked: bool) -> None:
    if asked:
        print("facula", version_of("facula"))
        ctx.exit()


@click.group(cls=_OnDemand, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
def cli() -> None:
    """PyTorch's programming model in Python, with programs that record themselves."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Runs the command line; exit status 2 and one clear line for a usage error."""
    try:
        cli.main(args=arguments, prog_name="facula", standalone_mode=False)
    except click.ClickException as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # since click 8.2
            print(error.format_message())
        else:
            print(f"facula: {' '.join(error.format_message().split())}", file=sys.stderr)
        sys.exit(2)
    except click.Abort:
        print("facula: interrupted", file=sys.stderr)
        sys.exit(130)
    sys.exit(0)
