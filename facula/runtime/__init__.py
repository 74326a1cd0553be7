"""Records what programs compute, finds their plans, and runs them."""
