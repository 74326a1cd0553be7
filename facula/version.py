"""``torch.version``: facula's own version, and the PyTorch version whose behaviour it follows."""

__version__ = "2.13.0+facula0.1.0"
facula = "0.1.0"
cuda = None
hip = None
debug = False
git_version = "unknown"
