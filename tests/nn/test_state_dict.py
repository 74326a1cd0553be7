"""state_dict and load_state_dict: keys, strictness, assignment, hooks, extra state."""

import pytest


def pair(torch):
    torch.manual_seed(5)
    nn = torch.nn
    make = lambda: nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))  # noqa: E731
    return make(), make()


def test_round_trip(twin):
    def scenario(torch):
        a, b = pair(torch)
        result = a.load_state_dict(b.state_dict())
        return repr(result), str(result), a.state_dict(), result == ([], [])

    twin(scenario)


def test_not_strict(twin):
    def scenario(torch):
        a, _ = pair(torch)
        result = a.load_state_dict({"0.weight": torch.ones(3, 2), "9.x": 3}, strict=False)
        return repr(result), result.missing_keys, result.unexpected_keys, a[0].weight

    twin(scenario)


@pytest.mark.parametrize("strict", [True, False])
def test_wrong_shapes_raise_anyway(twin, strict):
    def scenario(torch):
        a, b = pair(torch)
        state = b.state_dict()
        state["0.weight"] = torch.ones(5)
        del state["0.bias"]
        state["more"] = torch.ones(1)
        a.load_state_dict(state, strict=strict)

    twin(scenario)


def test_assign(twin):
    def scenario(torch):
        a, b = pair(torch)
        a[0].weight.requires_grad_(False)
        state = b.double().state_dict()
        a.load_state_dict(state, assign=True)
        kept = a[0].weight.requires_grad, a[2].weight.requires_grad, a[0].weight.dtype
        return [str(k) for k in kept], type(a[0].weight).__name__, a.state_dict()

    twin(scenario)


def test_values_share_memory_and_are_detached(twin):
    def scenario(torch):
        m = torch.nn.Linear(2, 2)
        state = m.state_dict()
        with torch.no_grad():
            m.weight.fill_(3.0)
        whole = m.state_dict(keep_vars=True)
        return state["weight"], state["weight"].requires_grad, whole["weight"] is m.weight

    twin(scenario)


def test_positional_arguments(twin):
    def scenario(torch):
        state = {}
        with pytest.warns(FutureWarning, match="Positional args"):
            out = torch.nn.Linear(2, 2).state_dict(state, "a.", True)
        return out is state, list(state), state["a.weight"].requires_grad

    twin(scenario)


def test_hooks(twin):
    def scenario(torch):
        m, other = pair(torch)
        log = []
        m.register_state_dict_pre_hook(lambda mod, prefix, keep: log.append(("pre", prefix, keep)))
        m[0]._register_state_dict_hook(
            lambda mod, state, prefix, meta: log.append(("hook", prefix, dict(meta)))
        )
        m.register_state_dict_post_hook(
            lambda mod, state, prefix, meta: state.pop(prefix + "2.bias", None) and None
        )
        m[0]._register_load_state_dict_pre_hook(
            lambda state, prefix, *rest: log.append(("load", prefix, len(rest)))
        )
        m[1].register_load_state_dict_pre_hook(
            lambda mod, state, prefix, *rest: log.append((type(mod).__name__, prefix))
        )
        m.register_load_state_dict_post_hook(lambda mod, keys: keys.missing_keys.clear())
        keys = list(m.state_dict())
        state = other.state_dict()
        del state["2.bias"]
        return keys, repr(m.load_state_dict(state)), log

    twin(scenario)


def test_hook_that_replaces(twin):
    def scenario(torch):
        m = torch.nn.Linear(1, 1)
        m._register_state_dict_hook(lambda mod, state, prefix, meta: {"only": 1})
        return m.state_dict()

    twin(scenario)


@pytest.mark.parametrize("kind", ["state", "load"])
def test_public_hooks_must_return_none(twin, kind):
    def scenario(torch):
        m = torch.nn.Linear(1, 1)
        if kind == "state":
            m.register_state_dict_post_hook(lambda mod, state, prefix, meta: 3)
            m.state_dict()
        else:
            m.register_load_state_dict_post_hook(lambda mod, keys: 3)
            m.load_state_dict(m.state_dict())

    twin(scenario, message=False)


def test_extra_state(twin):
    def scenario(torch):
        class Counting(torch.nn.Module):
            def __init__(self, count):
                super().__init__()
                self.count = count

            def get_extra_state(self):
                return {"count": self.count}

            def set_extra_state(self, state):
                self.count = state["count"]

        a, b = torch.nn.Sequential(Counting(1)), torch.nn.Sequential(Counting(7))
        state = b.state_dict()
        a.load_state_dict(state)
        missing = a.load_state_dict({}, strict=False).missing_keys
        plain = torch.nn.Sequential(torch.nn.Identity())
        extra = plain.load_state_dict(state, strict=False).unexpected_keys
        return list(state), a[0].count, missing, extra

    twin(scenario)


def test_old_batch_norm_checkpoints_load(twin):
    def scenario(torch):
        m = torch.nn.BatchNorm1d(2)
        state = {k: v for k, v in m.state_dict().items() if k != "num_batches_tracked"}
        return repr(m.load_state_dict(state))

    twin(scenario)


def test_scalar_from_one_element_checkpoint(twin):
    def scenario(torch):
        class Scalar(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.s = torch.nn.Parameter(torch.tensor(1.0))

        m = Scalar()
        m.load_state_dict({"s": torch.tensor([4.0])})
        return m.s

    twin(scenario)


def test_subclass_overrides_loading(twin):
    def scenario(torch):
        class Renaming(torch.nn.Linear):
            def _load_from_state_dict(self, state_dict, prefix, *args, **kwargs):
                if prefix + "w" in state_dict:
                    state_dict[prefix + "weight"] = state_dict.pop(prefix + "w")
                super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

        m = torch.nn.Sequential(Renaming(2, 2))
        state = {"0.w": torch.ones(2, 2), "0.bias": torch.zeros(2)}
        result = m.load_state_dict(state)
        return repr(result), m[0].weight, list(state)

    twin(scenario)


def test_data_parallel_keys(twin):
    def scenario(torch):
        nn = torch.nn
        m = nn.DataParallel(nn.Linear(2, 2))
        state = m.state_dict()
        nn.modules.utils.consume_prefix_in_state_dict_if_present(state, "module.")
        return list(m.state_dict()), list(state), state._metadata, m.device_ids

    twin(scenario)
