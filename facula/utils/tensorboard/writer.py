"""SummaryWriter: values, images, histograms, text, figures and graphs for TensorBoard."""

from __future__ import annotations

import datetime
import os
import socket
import time
from typing import Any

import numpy as np

from facula.tensors import Tensor
from facula.utils.tensorboard import pictures, projector, summaries
from facula.utils.tensorboard import protobuf as pb
from facula.utils.tensorboard.graph import graph_field
from facula.utils.tensorboard.records import EventFile


class SummaryWriter:
    """Writes what a training run logs to a folder that TensorBoard shows.

    The folder is `log_dir`, or runs/<time>_<host><comment>. No other package is needed to write;
    `pip install tensorboard` shows what was written.
    Differs from PyTorch: `add_onnx_graph` and `add_mesh` do not exist.

    >>> import tempfile
    >>> from facula.utils.tensorboard import SummaryWriter
    >>> with SummaryWriter(tempfile.mkdtemp()) as writer:
    ...     writer.add_scalar("loss", 0.5, global_step=1)
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
        self.purge_step = purge_step
        self.max_queue, self.flush_secs = max_queue, flush_secs
        self.filename_suffix = filename_suffix
        self._files: dict[str, EventFile] = {}
        self._file(self.log_dir)

    def _file(self, folder: str) -> EventFile:
        """The open file of a folder; a new one after `close`."""
        found = self._files.get(folder)
        if found is None:
            found = EventFile(folder, self.max_queue, self.flush_secs, self.filename_suffix)
            if self.purge_step is not None and folder == self.log_dir:
                found.add(pb.raw(7, pb.whole(1, 1)), self.purge_step)  # the run starts again here
                self.purge_step = None
            self._files[folder] = found
        return found

    def _add(self, value: bytes, step: Any, walltime: float | None, folder: str = "") -> None:
        where = self._file(folder or self.log_dir)
        where.add(summaries.summary(value), _step(step), walltime)

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
        number = float(_number(scalar_value))
        value = summaries.scalar(tag, number, new_style, double_precision)
        self._add(value, global_step, walltime)

    def add_scalars(
        self,
        main_tag: str,
        tag_scalar_dict: dict[str, Any],
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """Logs several numbers into one diagram; each gets a sub-folder of its own."""
        walltime = time.time() if walltime is None else walltime
        for tag, value in tag_scalar_dict.items():
            folder = os.path.join(self.log_dir, f"{main_tag.replace('/', '_')}_{tag}")
            number = summaries.scalar(main_tag, float(_number(value)), False, False)
            self._add(number, global_step, walltime, folder)

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
        value = summaries.histogram(tag, _array(values), bins, max_bins)
        self._add(value, global_step, walltime)

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
        extent = _number(min), _number(max)
        moments = _number(num), _number(sum), _number(sum_squares)
        limits, counts = (_array(part).tolist() for part in (bucket_limits, bucket_counts))
        value = summaries.histogram_raw(tag, *extent, *moments, limits, counts)
        self._add(value, global_step, walltime)

    def add_image(
        self,
        tag: str,
        img_tensor: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        dataformats: str = "CHW",
    ) -> None:
        """Logs an image: floats in [0, 1] or uint8, axes as `dataformats` says."""
        field = pictures.image_field(pictures.arranged(_array(img_tensor), dataformats))
        self._add(summaries.image(tag, field), global_step, walltime)

    def add_images(
        self,
        tag: str,
        img_tensor: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        dataformats: str = "NCHW",
    ) -> None:
        """Logs a batch of images as one grid."""
        self.add_image(tag, img_tensor, global_step, walltime, dataformats)

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
        if isinstance(labels, str):
            labels = [labels]
        if labels is not None and len(labels) != len(boxes):
            labels = None
        image = pictures.arranged(_array(img_tensor), dataformats)
        field = pictures.image_field(pictures.boxed(image, boxes, labels), rescale)
        self._add(summaries.image(tag, field), global_step, walltime)

    def add_figure(
        self,
        tag: str,
        figure: Any,
        global_step: int | None = None,
        close: bool = True,
        walltime: float | None = None,
    ) -> None:
        """Logs a matplotlib figure, or a list of them, and closes it."""
        several = isinstance(figure, (list, tuple))
        figures = list(figure) if several else [figure]
        drawn = [pictures.drawn(one) for one in figures]
        if close:
            pictures.close(figures)
        if several:
            self.add_image(tag, np.stack(drawn), global_step, walltime, "NHWC")
        else:
            self.add_image(tag, drawn[0], global_step, walltime, "HWC")

    def add_video(
        self,
        tag: str,
        vid_tensor: Any,
        global_step: int | None = None,
        fps: float = 4,
        walltime: float | None = None,
    ) -> None:
        """Logs videos (N, T, C, H, W), side by side, as one animated GIF."""
        field = pictures.film_field(_array(vid_tensor), fps)
        self._add(summaries.image(tag, field), global_step, walltime)

    def add_audio(
        self,
        tag: str,
        snd_tensor: Any,
        global_step: int | None = None,
        sample_rate: int = 44100,
        walltime: float | None = None,
    ) -> None:
        """Logs a sound of one channel, samples in [-1, 1]."""
        field = pictures.sound_field(_array(snd_tensor), sample_rate)
        self._add(summaries.audio(tag, field), global_step, walltime)

    def add_text(
        self,
        tag: str,
        text_string: str,
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """Logs text, shown as Markdown."""
        self._add(summaries.text(tag, text_string), global_step, walltime)

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
        self._file(self.log_dir).add(graph_field(model, input_to_model, verbose))

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
        step = _step(global_step)
        projector.add_points(
            self.log_dir, _array(mat), metadata, images, step, tag, metadata_header
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
        value = summaries.pr_curve(
            tag, _array(labels), _array(predictions), num_thresholds, weights
        )
        self._add(value, global_step, walltime)

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
            true_positive_counts,
            false_positive_counts,
            true_negative_counts,
            false_negative_counts,
            precision,
            recall,
        )
        value = summaries.pr_curve_raw(tag, np.stack([_array(row).reshape(-1) for row in rows]))
        self._add(value, global_step, walltime)

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
        folder = os.path.join(self.log_dir, run_name or str(time.time()))
        for value in summaries.hparams(settings, metrics, hparam_domain_discrete):
            self._add(value, None, None, folder)
        for tag, number in metrics.items():
            value = summaries.scalar(tag, float(number), False, False)
            self._add(value, global_step, None, folder)
        self._files.pop(folder).flush()

    def add_custom_scalars(self, layout: dict[str, dict[str, list]]) -> None:
        """Arranges logged scalars in diagrams of the page "Custom scalars"."""
        self._add(summaries.custom_scalars(layout), None, None)

    def add_custom_scalars_multilinechart(
        self, tags: list[str], category: str = "default", title: str = "untitled"
    ) -> None:
        """Arranges logged scalars as lines of one diagram."""
        self.add_custom_scalars({category: {title: ["Multiline", tags]}})

    def add_custom_scalars_marginchart(
        self, tags: list[str], category: str = "default", title: str = "untitled"
    ) -> None:
        """Arranges three logged scalars as a line with its margin."""
        if len(tags) != 3:
            raise AssertionError("a margin chart needs a value, a lower and an upper bound")
        self.add_custom_scalars({category: {title: ["Margin", tags]}})

    def flush(self) -> None:
        """Writes everything logged so far to disk."""
        for file in self._files.values():
            file.flush()

    def close(self) -> None:
        """Writes everything to disk; what is logged afterwards goes to a new file."""
        self.flush()
        self._files.clear()

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.close()


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
