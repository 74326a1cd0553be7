"""`facula run`: an unmodified script on facula."""

import os

import click

from facula.cli import runner

_SETTINGS = {"allow_interspersed_args": False, "help_option_names": ["-h", "--help"]}


@click.command(context_settings=_SETTINGS)
@click.option("-m", "as_module", is_flag=True, help="TARGET is a module, as in python -m.")
@click.option("-c", "as_code", is_flag=True, help="TARGET is source code, as in python -c.")
@click.argument("target")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(as_module: bool, as_code: bool, target: str, arguments: tuple[str, ...]) -> None:
    """Run TARGET with its ARGUMENTS; torch and torchvision in it mean facula.

    Everything after TARGET belongs to the script.
    """
    rest = list(arguments)
    if as_module and as_code:
        raise click.UsageError("-m and -c exclude each other")
    if as_module:
        runner.run_module(target, rest)
    if as_code:
        runner.run_code(target, rest)
    if not os.path.exists(target):
        raise click.UsageError(f"cannot find the script {target!r}")
    if not os.access(target, os.R_OK):
        raise click.UsageError(f"cannot read the script {target!r}")
    runner.run_script(target, rest)
