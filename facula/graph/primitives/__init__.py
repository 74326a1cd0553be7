"""The primitive table, one file per kind."""

from facula.graph.primitives import attention as attention
from facula.graph.primitives import contraction as contraction
from facula.graph.primitives import elementwise as elementwise
from facula.graph.primitives import fourier as fourier
from facula.graph.primitives import host as host
from facula.graph.primitives import indexing as indexing
from facula.graph.primitives import movement as movement
from facula.graph.primitives import recurrence as recurrence
from facula.graph.primitives import reduction as reduction
from facula.graph.primitives import special_calls as special_calls
from facula.graph.primitives import window as window
