"""``torch.jit.annotations``: the type names that old scripts import from here."""

from typing import Any as Any
from typing import Dict as Dict  # noqa: UP035 (the names scripts use)
from typing import List as List  # noqa: UP035
from typing import NamedTuple as NamedTuple
from typing import Optional as Optional
from typing import Tuple as Tuple  # noqa: UP035
from typing import Union as Union
