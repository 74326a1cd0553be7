"""Distributions beside PyTorch: draws of one seed, densities, moments, divergences, transforms."""

import math

import numpy as np
import pytest

import facula

# a, b, p, P, cov stand for the tensors that _names makes.
FAMILIES = """
Normal        D.Normal(a,b)
NormalS       D.Normal(0,1.)
LogNormal     D.LogNormal(a,b)
Bernoulli     D.Bernoulli(p)
BernoulliL    D.Bernoulli(logits=a)
Categorical   D.Categorical(P)
CategoricalL  D.Categorical(logits=P)
OneHot        D.OneHotCategorical(P)
OneHotST      D.OneHotCategoricalStraightThrough(P)
Uniform       D.Uniform(a,a+b)
UniformS      D.Uniform(0,2)
Exponential   D.Exponential(b)
Laplace       D.Laplace(a,b)
Gamma         D.Gamma(a,b)
Beta          D.Beta(a,b)
Dirichlet     D.Dirichlet(P*5)
Cauchy        D.Cauchy(a,b)
Geometric     D.Geometric(p)
Poisson       D.Poisson(b)
Binomial      D.Binomial(5,p)
NegBin        D.NegativeBinomial(4.,p)
Multinomial   D.Multinomial(6,P)
MVN           D.MultivariateNormal(T([1.,2.]),cov)
MVNp          D.MultivariateNormal(T([1.,2.]),precision_matrix=cov)
MVNt          D.MultivariateNormal(torch.zeros(3,2),scale_tril=torch.linalg.cholesky(cov))
StudentT      D.StudentT(b*2,a,b)
Gumbel        D.Gumbel(a,b)
HalfNormal    D.HalfNormal(b)
HalfCauchy    D.HalfCauchy(b)
Independent   D.Independent(D.Normal(a,b),1)
Trans         D.TransformedDistribution(D.Normal(a,b),[D.TanhTransform(),D.AffineTransform(1.,2.)])
Mix           D.MixtureSameFamily(D.Categorical(p),D.Normal(a,b))
MixI          D.MixtureSameFamily(D.Categorical(T([0.4,0.6])),D.Independent(D.Normal(cov,cov),1))
Weibull       D.Weibull(a,b)
Pareto        D.Pareto(a,b+2)
Kuma          D.Kumaraswamy(a+1,b+1)
InvGamma      D.InverseGamma(a+3,b)
LogisticNormal D.LogisticNormal(a,b)
RelBern       D.RelaxedBernoulli(T([.7]),p)
RelOH         D.RelaxedOneHotCategorical(T([.7]),P)
Chi2          D.Chi2(b)
Fisher        D.FisherSnedecor(a*6,b*6)
""".strip().splitlines()
# Their draws have the same distribution but are other numbers.
OTHER_NUMBERS = "Gamma Beta Dirichlet StudentT Binomial NegBin InvGamma Chi2 Fisher".split()
VALUES = {
    "Gamma": "T([0.3, 1.0, 2.0])", "Beta": "T([0.3, 0.5, 0.9])", "Dirichlet": "P",
    "StudentT": "a", "Binomial": "T([1.0, 2.0, 5.0])", "NegBin": "T([0.0, 2.0, 5.0])",
    "InvGamma": "b", "Chi2": "b", "Fisher": "b", "LogisticNormal": "T([0.1, 0.2, 0.3, 0.4])",
}  # fmt: skip
QUESTIONS = """
repr(d)
(d.batch_shape, d.event_shape)
d.log_prob(s)
d.mean
d.variance
d.mode
d.stddev
repr(d.support)
(d.has_rsample, d.has_enumerate_support)
d.entropy()
d.cdf(s)
d.icdf(T([0.2, 0.5, 0.8]))
d.enumerate_support()
d.expand((2, *d.batch_shape)).log_prob(s)
repr(d.expand((2, *d.batch_shape)))
D.kl_divergence(d, d).abs()
d.log_prob(T([-100.5, 3.3, 7.2]))
""".strip().splitlines()
DIVERGENCES = """
(D.Uniform(a,a+b),D.Normal(a,b))
(D.Normal(a,b),D.Laplace(b,a))
(D.Laplace(a,b),D.Normal(b,a))
(D.Exponential(b),D.Gamma(a,b))
(D.Gamma(a,b),D.Exponential(a))
(D.Exponential(a),D.Normal(a,b))
(D.Gumbel(a,b),D.Gumbel(b,a))
(D.Gamma(a,b),D.Gamma(b,a))
(D.Beta(a,b),D.Beta(b,a))
(D.Dirichlet(P*3),D.Dirichlet(P*2+1))
(D.Bernoulli(p),D.Bernoulli(1-p))
(D.Normal(a,b),D.Normal(b,a))
(D.Laplace(a,b),D.Laplace(b,a))
(D.LogNormal(a,b),D.LogNormal(b,a))
(D.Cauchy(a,b),D.Cauchy(b,a))
(D.Pareto(b,a),D.Pareto(a*.5,b))
(D.MultivariateNormal(torch.zeros(2),cov),D.MultivariateNormal(torch.ones(2),torch.eye(2)))
(D.Geometric(p),D.Geometric(p*.5))
(D.Poisson(a),D.Poisson(b))
(D.Independent(D.Normal(a,b),1),D.Independent(D.Normal(b,a),1))
(D.Categorical(P),D.Categorical(P.flip(0)))
(D.Binomial(3,p),D.Binomial(3,1-p))
D.Normal(a, b), D.Gamma(a, b)
""".strip().splitlines()
TRANSFORMS = """
D.ExpTransform()
D.PowerTransform(T(2.))
D.SigmoidTransform()
D.TanhTransform()
D.SoftplusTransform()
D.AbsTransform()
D.AffineTransform(T([1.,2.,3.]),2.)
D.AffineTransform(T([1.,2.,3.]),T([2.,1.,.5]),event_dim=1)
D.SoftmaxTransform()
D.StickBreakingTransform()
D.ComposeTransform([D.ExpTransform(),D.AffineTransform(0.,2.)])
D.IndependentTransform(D.ExpTransform(),1)
D.ReshapeTransform((3,),(3,1))
D.CorrCholeskyTransform()
D.CumulativeDistributionTransform(D.Normal(0.,1.))
D.CatTransform([D.ExpTransform(),D.TanhTransform()],dim=-1,lengths=[1,2])
D.StackTransform([D.ExpTransform(),D.TanhTransform(),D.SigmoidTransform()],dim=-1)
D.ExpTransform().inv
""".strip().splitlines()


def _names(lib):
    t = lib.tensor
    return {
        "a": t([0.5, 1.0, 2.0]), "b": t([1.5, 0.7, 3.0]), "p": t([0.2, 0.5, 0.9]),
        "P": t([[0.2, 0.3, 0.5], [0.1, 0.1, 0.8]]), "cov": t([[2.0, 0.5], [0.5, 1.0]]),
    }  # fmt: skip


def _family(line):
    name, _, expression = line.partition(" ")
    return name, expression.strip()


def _made(expression, lib):
    scope = {"torch": lib, "T": lib.tensor, "D": lib.distributions, **_names(lib)}
    return eval(expression, scope)


@pytest.mark.parametrize("line", FAMILIES, ids=lambda line: line.split()[0])
def test_families(line):
    torch = pytest.importorskip("torch")
    from both import assert_same, described

    name, expression = _family(line)
    ours, theirs = _made(expression, facula), _made(expression, torch)
    if name not in OTHER_NUMBERS:
        for draw in ["sample"] + (["rsample"] if theirs.has_rsample else []):
            texts = []
            for d, lib in ((ours, facula), (theirs, torch)):
                lib.manual_seed(3)
                texts.append(described(getattr(d, draw)((2,))))
            assert texts[0] == texts[1], draw
    for question in QUESTIONS:
        found = []
        for d, lib in ((ours, facula), (theirs, torch)):
            lib.manual_seed(7)
            s = _made(VALUES[name], lib) if name in VALUES else d.sample((2,))
            found.append({"d": d, "s": s})
        _same_on(question, found, torch, assert_same)


def _same_on(question, found, torch, assert_same):
    from both import outcome

    got = outcome(question, facula, **found[0])
    wanted = outcome(question, torch, **found[1])
    if got != wanted and "[" in got and "Error" not in wanted:
        numbers = []
        for lib, names in ((facula, found[0]), (torch, found[1])):
            value = eval(question, {"torch": lib, "T": lib.tensor, "D": lib.distributions, **names})
            numbers.append(np.asarray(value.detach().tolist()))
        np.testing.assert_allclose(*numbers, rtol=2e-5, atol=2e-5, err_msg=question)
        return
    assert got == wanted, question


@pytest.mark.parametrize("pair", DIVERGENCES)
def test_divergences(pair):
    torch = pytest.importorskip("torch")
    values = [
        np.asarray(lib.distributions.kl_divergence(*_made(pair, lib)).tolist())
        for lib in (facula, torch)
    ]
    np.testing.assert_allclose(*values, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("expression", TRANSFORMS)
def test_transforms(expression):
    torch = pytest.importorskip("torch")
    from both import assert_same

    questions = """
t(x)
t.inv(t(x))
t.log_abs_det_jacobian(x, t(x))
repr(t)
repr((t.domain, t.codomain, t.bijective))
tuple(t.forward_shape((4, 3)))
t.sign
""".strip().splitlines()
    x = "[[0.3, 0.2, 0.5]]"
    for question in questions:
        code = f"(lambda t, x: {question})({expression}, T({x}))"
        assert_same(code, facula, torch)


CONSTRAINTS = (
    "positive unit_interval simplex real lower_cholesky corr_cholesky positive_definite boolean "
    "one_hot nonnegative_integer real_vector"
).split()


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_constraints_and_the_transforms_onto_them(name):
    torch = pytest.importorskip("torch")
    from both import assert_same

    for code in (
        f"repr(D.constraints.{name})",
        f"repr(D.biject_to(D.constraints.{name}))",
        f"repr(D.transform_to(D.constraints.{name}))",
        f"D.constraints.{name}.check(T([[0.2, 0.8], [1.0, 0.0]]))",
    ):
        assert_same(code, facula, torch)


REJECTED = """
D.Normal(T([0.0]), T([-1.0]))
D.Categorical(T([-1.0, 2.0]))
D.Uniform(1.0, 0.0)
D.Bernoulli(T(1.5))
D.Normal("a", 1)
D.Bernoulli()
D.MultivariateNormal(torch.zeros(2), T([[1.0, 2.0], [2.0, 1.0]]))
D.Normal(0.0, 1.0).log_prob("a")
D.Uniform(0.0, 1.0).log_prob(T(3.0))
D.Categorical(T([0.5, 0.5])).log_prob(T(2))
D.kl_divergence(D.Normal(0.0, 1.0), D.Cauchy(0.0, 1.0))
""".strip().splitlines()


@pytest.mark.parametrize("expression", REJECTED)
def test_errors_are_pytorchs(expression):
    torch = pytest.importorskip("torch")
    found = []
    for lib in (facula, torch):
        with pytest.raises(Exception) as caught:
            _made(expression, lib)
        found.append(f"{caught.type.__name__}: {caught.value}")
    assert found[0] == found[1]


def test_gradients_reach_the_parameters():
    torch = pytest.importorskip("torch")
    for code in ("Normal(w, 1.0)", "Laplace(w, 1.0)", "Uniform(w, 3.0)", "Exponential(w)"):
        grads = []
        for lib in (facula, torch):
            w = lib.tensor([0.5, 1.0], requires_grad=True)
            lib.manual_seed(0)
            eval(f"D.{code}", {"D": lib.distributions, "w": w}).rsample().sum().backward()
            grads.append(w.grad.tolist())
        assert grads[0] == pytest.approx(grads[1], abs=1e-5), code


def test_reinforce_takes_the_same_actions():
    torch = pytest.importorskip("torch")
    found = []
    for lib in (facula, torch):
        logits = lib.tensor([0.1, 0.2, 0.3], requires_grad=True)
        lib.manual_seed(1)
        m = lib.distributions.Categorical(logits=logits)
        actions = m.sample((20,))
        (-m.log_prob(actions).sum()).backward()
        found.append((actions.tolist(), [round(g, 4) for g in logits.grad.tolist()]))
    assert found[0] == found[1]


@pytest.mark.parametrize("shape", [0.3, 1.0, 4.5])
def test_gamma_draws_have_the_moments_of_the_gamma_distribution(shape):
    facula.manual_seed(0)
    drawn = np.asarray(facula.distributions.Gamma(shape, 2.0).sample((40000,)).tolist())
    assert drawn.mean() == pytest.approx(shape / 2, rel=0.03)
    assert drawn.var() == pytest.approx(shape / 4, rel=0.08)
    assert np.log(drawn + 1e-30).mean() == pytest.approx(_digamma(shape) - math.log(2), abs=0.06)


def _digamma(x: float) -> float:
    step = 1e-5
    return (math.lgamma(x + step) - math.lgamma(x - step)) / (2 * step)


def test_gamma_draws_follow_their_shape_parameter():
    """E[x] = alpha, so the mean gradient of the draws is 1."""
    facula.manual_seed(0)
    alpha = facula.full((2000,), 1.7, requires_grad=True)
    facula.distributions.Gamma(alpha, facula.ones(2000)).rsample().sum().backward()
    assert float(alpha.grad.mean()) == pytest.approx(1.0, rel=0.06)


def test_gamma_gradient_is_pytorchs():
    torch = pytest.importorskip("torch")
    from facula.distributions._gamma_draws import _shape_gradient

    alpha = np.asarray([0.05, 0.5, 1.0, 3.0, 20.0, 200.0])
    for quantile in (0.2, 1.0, 2.5):
        x = alpha * quantile
        wanted = torch._standard_gamma_grad(torch.tensor(alpha), torch.tensor(x)).numpy()
        np.testing.assert_allclose(_shape_gradient(alpha, x), wanted, rtol=2e-3)


def test_dirichlet_and_binomial_moments():
    facula.manual_seed(0)
    weights = facula.tensor([1.0, 2.0, 5.0])
    drawn = np.asarray(facula.distributions.Dirichlet(weights).sample((8000,)).tolist())
    assert drawn.mean(0) == pytest.approx([1 / 8, 2 / 8, 5 / 8], abs=0.01)
    counts = facula.distributions.Binomial(10, facula.tensor(0.3)).sample((8000,))
    assert float(counts.mean()) == pytest.approx(3.0, abs=0.06)
