"""SummaryWriter: values, images, histograms, text and figures as TensorBoard event files."""

from __future__ import annotations

import datetime
import os
import socket
from typing import Any

import numpy as np

from facula.tensors import Tensor
from facula.utils.tensorboard.graph import graph_event


class SummaryWriter:
    """Writes what a training run logs to a folder that TensorBoard shows.

    The files are written by the package tensorboardX, which is imported when a writer is made.
    The folder is `log_dir`, or runs/<time>_<host><comment>.
    Differs from PyTorch: `add_onnx_graph` does not exist; scalars are stored as float32 in the
    classic form, whatever `new_style` and `double_precision` say.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike | None = None,
        comment: str = "",
        purge_step: int | None = None,
        max_queue: int = 10,
        flush_secs: int = 120,
        filename_suffix: str = "",
    ) -> None:
        if not log_dir:
            now = datetime.datetime.now().strftime("%b%d_%H-%M-%S")
            log_dir = os.path.join("runs", f"{now}_{socket.gethostname()}{comment}")
        self.log_dir = os.fspath(log_dir)
        self._writer = _writer_class()(
            logdir=self.log_dir,
            purge_step=purge_step,
            max_queue=max_queue,
            flush_secs=flush_secs,
            filename_suffix=filename_suffix,
        )

    def get_logdir(self) -> str:
        """The folder the files are written to."""
        return self.log_dir

    def add_scalar(
        self,
        tag: str,
        scalar_value: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        new_style: bool = False,
        double_precision: bool = False,
    ) -> None:
        """Logs one number."""
        self._writer.add_scalar(tag, _number(scalar_value), _step(global_step), walltime)

    def add_scalars(
        self,
        main_tag: str,
        tag_scalar_dict: dict[str, Any],
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """Logs several numbers into one diagram; each gets a sub-folder of its own."""
        numbers = {tag: _number(value) for tag, value in tag_scalar_dict.items()}
        self._writer.add_scalars(main_tag, numbers, _step(global_step), walltime)

    def add_histogram(
        self,
        tag: str,
        values: Any,
        global_step: int | None = None,
        bins: str | list = "tensorflow",
        walltime: float | None = None,
        max_bins: int | None = None,
    ) -> None:
        """Logs the distribution of values."""
        self._writer.add_histogram(
            tag, _array(values), _step(global_step), bins, walltime, max_bins
        )

    def add_histogram_raw(
        self,
        tag: str,
        min: float,
        max: float,
        num: int,
        sum: float,
        sum_squares: float,
        bucket_limits: Any,
        bucket_counts: Any,
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """Logs a distribution whose buckets were counted by the caller."""
        numbers = [_number(value) for value in (min, max, num, sum, sum_squares)]
        limits, counts = (_array(part).tolist() for part in (bucket_limits, bucket_counts))
        self._writer.add_histogram_raw(tag, *numbers, limits, counts, _step(global_step), walltime)

    def add_image(
        self,
        tag: str,
        img_tensor: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        dataformats: str = "CHW",
    ) -> None:
        """Logs an image: floats in [0, 1] or uint8, axes as `dataformats` says."""
        self._writer.add_image(tag, _array(img_tensor), _step(global_step), walltime, dataformats)

    def add_images(
        self,
        tag: str,
        img_tensor: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        dataformats: str = "NCHW",
    ) -> None:
        """Logs a batch of images as one grid."""
        self._writer.add_images(tag, _array(img_tensor), _step(global_step), walltime, dataformats)

    def add_image_with_boxes(
        self,
        tag: str,
        img_tensor: Any,
        box_tensor: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        rescale: float = 1,
        dataformats: str = "CHW",
        labels: str | list | None = None,
    ) -> None:
        """Logs an image with boxes (N, 4), each given by its corners x, y, x, y."""
        boxes = _array(box_tensor)
        labels = [labels] if isinstance(labels, str) else labels
        if labels is not None and len(labels) != len(boxes):
            labels = None
        self._writer.add_image_with_boxes(
            tag, _array(img_tensor), boxes, _step(global_step), walltime, dataformats, labels,
            rescale=rescale,
        )  # fmt: skip

    def add_figure(
        self,
        tag: str,
        figure: Any,
        global_step: int | None = None,
        close: bool = True,
        walltime: float | None = None,
    ) -> None:
        """Logs a matplotlib figure, or a list of them, and closes it."""
        self._writer.add_figure(tag, figure, _step(global_step), close, walltime)

    def add_video(
        self,
        tag: str,
        vid_tensor: Any,
        global_step: int | None = None,
        fps: float = 4,
        walltime: float | None = None,
    ) -> None:
        """Logs videos (N, T, C, H, W); needs the package moviepy."""
        self._writer.add_video(tag, _array(vid_tensor), _step(global_step), fps, walltime)

    def add_audio(
        self,
        tag: str,
        snd_tensor: Any,
        global_step: int | None = None,
        sample_rate: int = 44100,
        walltime: float | None = None,
    ) -> None:
        """Logs a sound, samples in [-1, 1]; needs the package soundfile."""
        self._writer.add_audio(tag, _array(snd_tensor), _step(global_step), sample_rate, walltime)

    def add_text(
        self,
        tag: str,
        text_string: str,
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """Logs text, shown as Markdown."""
        self._writer.add_text(tag, text_string, _step(global_step), walltime)

    def add_graph(
        self,
        model: Any,
        input_to_model: Any = None,
        verbose: bool = False,
        use_strict_trace: bool = True,
    ) -> None:
        """Logs the operations of a module; it is run once on `input_to_model`, in evaluation mode.

        `verbose` prints them as well. Operations that have no gradient are not shown.
        """
        self._writer.file_writer.add_event(graph_event(model, input_to_model, verbose))

    def add_embedding(
        self,
        mat: Any,
        metadata: list | None = None,
        label_img: Any = None,
        global_step: int | None = None,
        tag: str = "default",
        metadata_header: list | None = None,
    ) -> None:
        """Logs points (N, D) for the projector, with labels and small images if given."""
        images = None if label_img is None else _array(label_img)
        self._writer.add_embedding(
            _array(mat), metadata, images, _step(global_step), tag, metadata_header
        )

    def add_pr_curve(
        self,
        tag: str,
        labels: Any,
        predictions: Any,
        global_step: int | None = None,
        num_thresholds: int = 127,
        weights: Any = None,
        walltime: float | None = None,
    ) -> None:
        """Logs a precision-recall curve of binary labels and predicted probabilities."""
        weights = None if weights is None else _array(weights)
        self._writer.add_pr_curve(
            tag,
            _array(labels),
            _array(predictions),
            _step(global_step),
            num_thresholds,
            weights,
            walltime,
        )

    def add_pr_curve_raw(
        self,
        tag: str,
        true_positive_counts: Any,
        false_positive_counts: Any,
        true_negative_counts: Any,
        false_negative_counts: Any,
        precision: Any,
        recall: Any,
        global_step: int | None = None,
        num_thresholds: int = 127,
        weights: Any = None,
        walltime: float | None = None,
    ) -> None:
        """Logs a precision-recall curve whose counts are known, one for each threshold."""
        rows = (
            true_positive_counts, false_positive_counts,
            true_negative_counts, false_negative_counts, precision, recall,
        )  # fmt: skip
        arrays = [_array(row) for row in rows]
        self._writer.add_pr_curve_raw(
            tag, *arrays, _step(global_step), num_thresholds, weights, walltime
        )

    def add_hparams(
        self,
        hparam_dict: dict[str, Any],
        metric_dict: dict[str, Any],
        hparam_domain_discrete: dict[str, list] | None = None,
        run_name: str | None = None,
        global_step: int | None = None,
    ) -> None:
        """Logs hyper-parameters and the results they gave, as a run in a sub-folder."""
        if type(hparam_dict) is not dict or type(metric_dict) is not dict:
            raise TypeError("hparam_dict and metric_dict should be dictionary.")
        settings = {k: v if isinstance(v, str) else _number(v) for k, v in hparam_dict.items()}
        metrics = {key: _number(value) for key, value in metric_dict.items()}
        self._writer.add_hparams(settings, metrics, run_name, _step(global_step))

    def add_custom_scalars(self, layout: dict[str, dict[str, list]]) -> None:
        """Arranges logged scalars in diagrams of the page "Custom scalars"."""
        self._writer.add_custom_scalars(layout)

    def add_custom_scalars_multilinechart(
        self, tags: list[str], category: str = "default", title: str = "untitled"
    ) -> None:
        """Arranges logged scalars as lines of one diagram."""
        self._writer.add_custom_scalars_multilinechart(tags, category, title)

    def add_custom_scalars_marginchart(
        self, tags: list[str], category: str = "default", title: str = "untitled"
    ) -> None:
        """Arranges three logged scalars as a line with its margin."""
        self._writer.add_custom_scalars_marginchart(tags, category, title)

    def flush(self) -> None:
        """Writes everything logged so far to disk."""
        self._writer.flush()

    def close(self) -> None:
        """Writes everything to disk and closes the files."""
        self._writer.close()

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.close()


def _writer_class() -> Any:
    try:
        from tensorboardX import SummaryWriter as Writer
    except ImportError as error:
        raise ImportError(
            "SummaryWriter needs the package tensorboardX: pip install tensorboardX "
            "(and pip install tensorboard, to look at the files)"
        ) from error
    return Writer


def _array(value: Any) -> np.ndarray:
    """Tensors, arrays, numbers and lists of them as one array."""
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        try:
            return value.numpy()
        except TypeError:  # a dtype NumPy lacks (bfloat16)
            return value.float().numpy()
    if isinstance(value, (list, tuple)) and any(isinstance(part, Tensor) for part in value):
        return np.stack([_array(part) for part in value])
    return np.asarray(value)


def _number(value: Any) -> Any:
    """One number as a Python number; a tensor must have one element."""
    if isinstance(value, (Tensor, np.ndarray, np.generic)):
        return _array(value).item()
    return value


def _step(step: Any) -> int | None:
    return None if step is None else int(_number(step))
