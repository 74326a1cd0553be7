"""The same networks in libraries that do not speak PyTorch's language."""
