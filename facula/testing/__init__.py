"""``torch.testing``: comparing tensors in tests, and making them."""

from facula.testing.comparison import assert_allclose as assert_allclose
from facula.testing.comparison import assert_close as assert_close
from facula.testing.creation import make_tensor as make_tensor
