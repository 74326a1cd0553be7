"""The error of a training job that the user can mend: shown as one line, without a traceback."""


class TrainError(Exception):
    """Something about the options, the data or the checkpoint keeps the job from running."""
