"""``torch.backends.quantized``: quantized operators are not part of facula."""

engine = "none"
supported_engines = ["none"]
