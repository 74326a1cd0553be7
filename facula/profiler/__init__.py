"""``torch.profiler``: where the time of a program goes, by operation and by named range.

Ranges are what operations cost to record, the compiled programs that compute them, steps of
optimizers, and what ``record_function`` names.
"""

from facula.autograd.profiler import record_function as record_function
from facula.profiler.events import EventList as EventList
from facula.profiler.events import FunctionEventAvg as FunctionEventAvg
from facula.profiler.profile import ProfilerAction as ProfilerAction
from facula.profiler.profile import ProfilerActivity as ProfilerActivity
from facula.profiler.profile import profile as profile
from facula.profiler.profile import schedule as schedule
from facula.profiler.profile import supported_activities as supported_activities
from facula.profiler.profile import tensorboard_trace_handler as tensorboard_trace_handler
