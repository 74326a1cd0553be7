"""Data parallelism: over the devices of one process (there is one CPU), or over processes."""

from facula.nn.parallel.data_parallel import DataParallel as DataParallel
from facula.nn.parallel.data_parallel import data_parallel as data_parallel
from facula.nn.parallel.distributed import DistributedDataParallel as DistributedDataParallel
from facula.nn.parallel.parallel_apply import parallel_apply as parallel_apply
from facula.nn.parallel.replicate import replicate as replicate
from facula.nn.parallel.scatter_gather import gather as gather
from facula.nn.parallel.scatter_gather import scatter as scatter
from facula.nn.parallel.scatter_gather import scatter_kwargs as scatter_kwargs
