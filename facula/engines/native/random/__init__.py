"""Random numbers in machine code: the raw draws of MT19937, and what is made of them.

Which numbers these are is defined by `runtime/streams`; the code here gives the same bits.
"""
