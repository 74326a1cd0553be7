"""``torch.distributed``: processes that work together over TCP (the backend "gloo").

Sums are formed in the order of the ranks, so results are the same in every run.
"""

from facula.distributed.collectives import P2POp as P2POp
from facula.distributed.collectives import Work as Work
from facula.distributed.collectives import all_gather as all_gather
from facula.distributed.collectives import all_gather_into_tensor as all_gather_into_tensor
from facula.distributed.collectives import all_gather_into_tensor as all_gather_single
from facula.distributed.collectives import all_reduce as all_reduce
from facula.distributed.collectives import all_to_all as all_to_all
from facula.distributed.collectives import all_to_all_single as all_to_all_single
from facula.distributed.collectives import barrier as barrier
from facula.distributed.collectives import batch_isend_irecv as batch_isend_irecv
from facula.distributed.collectives import broadcast as broadcast
from facula.distributed.collectives import gather as gather
from facula.distributed.collectives import irecv as irecv
from facula.distributed.collectives import isend as isend
from facula.distributed.collectives import monitored_barrier as monitored_barrier
from facula.distributed.collectives import recv as recv
from facula.distributed.collectives import reduce as reduce
from facula.distributed.collectives import reduce_scatter as reduce_scatter
from facula.distributed.collectives import reduce_scatter_tensor as reduce_scatter_single
from facula.distributed.collectives import reduce_scatter_tensor as reduce_scatter_tensor
from facula.distributed.collectives import scatter as scatter
from facula.distributed.collectives import send as send
from facula.distributed.group import ProcessGroup as ProcessGroup
from facula.distributed.group import ReduceOp as ReduceOp
from facula.distributed.objects import all_gather_object as all_gather_object
from facula.distributed.objects import broadcast_object_list as broadcast_object_list
from facula.distributed.objects import gather_object as gather_object
from facula.distributed.objects import scatter_object_list as scatter_object_list
from facula.distributed.state import Backend as Backend
from facula.distributed.state import GroupMember as GroupMember
from facula.distributed.state import destroy_process_group as destroy_process_group
from facula.distributed.state import get_backend as get_backend
from facula.distributed.state import (
    get_default_backend_for_device as get_default_backend_for_device,
)
from facula.distributed.state import get_global_rank as get_global_rank
from facula.distributed.state import get_group_rank as get_group_rank
from facula.distributed.state import get_node_local_rank as get_node_local_rank
from facula.distributed.state import get_process_group_ranks as get_process_group_ranks
from facula.distributed.state import get_rank as get_rank
from facula.distributed.state import get_world_size as get_world_size
from facula.distributed.state import group as group
from facula.distributed.state import init_process_group as init_process_group
from facula.distributed.state import is_available as is_available
from facula.distributed.state import is_backend_available as is_backend_available
from facula.distributed.state import is_gloo_available as is_gloo_available
from facula.distributed.state import is_initialized as is_initialized
from facula.distributed.state import is_mpi_available as is_mpi_available
from facula.distributed.state import is_nccl_available as is_nccl_available
from facula.distributed.state import is_torchelastic_launched as is_torchelastic_launched
from facula.distributed.state import is_ucc_available as is_ucc_available
from facula.distributed.state import is_xccl_available as is_xccl_available
from facula.distributed.state import new_group as new_group
from facula.distributed.store import DistBackendError as DistBackendError
from facula.distributed.store import DistError as DistError
from facula.distributed.store import DistNetworkError as DistNetworkError
from facula.distributed.store import DistStoreError as DistStoreError
from facula.distributed.store import FileStore as FileStore
from facula.distributed.store import HashStore as HashStore
from facula.distributed.store import PrefixStore as PrefixStore
from facula.distributed.store import Store as Store
from facula.distributed.store import TCPStore as TCPStore
