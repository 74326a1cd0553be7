"""What programs are made of: specs, primitives, nodes, blocks, and passes over them."""
