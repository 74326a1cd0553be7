"""The native engine: programs become machine code for this CPU, through LLVM."""
