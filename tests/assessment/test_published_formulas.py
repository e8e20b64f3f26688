"""The figures of the comparison are those of the published formulas, computed by base R."""

from __future__ import annotations

import csv
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import betainc
from scipy.stats import nbinom

from duanka.assessment.comparison import funnel, intervals, shrinkage
from duanka.assessment.comparison.cusum import cusum
from duanka.assessment.comparison.false_discovery import adjusted
from support.parts import needed

Floats = NDArray[np.float64]
SCRIPT = Path(__file__).with_name("published_formulas.R")
UNITS = 31


def _units() -> dict[str, Floats]:
    chance = np.random.default_rng(5)
    expected = np.exp(chance.uniform(np.log(3), np.log(900), UNITS))
    cases = chance.integers(20, 3_000, UNITS).astype(np.float64)
    return {
        "observed": chance.poisson(expected * chance.gamma(16, 1 / 16, UNITS)).astype(np.float64),
        "expected": expected,
        "events": chance.binomial(cases.astype(int), chance.beta(6, 54, UNITS)).astype(np.float64),
        "cases": cases,
        "chance": chance.uniform(0, 1, UNITS) ** 4,
        "sure": np.exp(chance.uniform(np.log(5), np.log(500), UNITS)),
    }


@pytest.fixture(scope="module")
def units() -> dict[str, Floats]:
    return _units()


@pytest.fixture(scope="module")
def of_r(units: dict[str, Floats], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Floats]:
    needed("" if shutil.which("Rscript") else "not installed: make setup-r, or apt-get install r-base-core")
    table = tmp_path_factory.mktemp("r") / "units.csv"
    with table.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(units)
        rows.writerows(zip(*(values.tolist() for values in units.values()), strict=True))
    said = subprocess.run(["Rscript", "--vanilla", SCRIPT, table], capture_output=True, text=True, check=True)
    lines = (line.split() for line in said.stdout.splitlines())
    return {name: np.array([float(value) for value in values]) for name, *values in lines}


def _same(ours: object, of_r: Floats, rel: float = 1e-9) -> None:
    assert np.asarray(ours, dtype=np.float64) == pytest.approx(of_r, rel=rel, abs=1e-12)


@pytest.mark.parametrize("trimmed", [0, 0.1])
def test_over_dispersion_of_ratios(units: dict[str, Floats], of_r: dict[str, Floats], trimmed: float) -> None:
    z, s = funnel.ratio_scores(units["observed"], units["expected"])
    found = funnel.published_dispersion(z, s, trimmed)
    assert found.tau2 > 0
    _same([found.phi, found.tau2], of_r[f"ratio_dispersion_{trimmed}"])


def test_over_dispersion_of_shares(units: dict[str, Floats], of_r: dict[str, Floats]) -> None:
    target = units["events"].sum() / units["cases"].sum()
    found = funnel.published_dispersion(*funnel.share_scores(units["events"], units["cases"], target))
    assert found.tau2 > 0
    _same([found.phi, found.tau2], of_r["share_dispersion"])


@pytest.mark.parametrize("coverage", [0.95, 0.998])
def test_funnel_limits(units: dict[str, Floats], of_r: dict[str, Floats], coverage: float) -> None:
    target = units["events"].sum() / units["cases"].sum()
    tails = [f"{(1 - coverage) / 2:.3f}", f"{(1 + coverage) / 2:.3f}"]
    for name, found in {
        "poisson": funnel.ratio_limits(units["expected"], coverage),
        "additive": funnel.ratio_limits(units["expected"], coverage, of_r["ratio_dispersion_0.1"][1]),
        "binomial": funnel.share_limits(units["cases"], target, coverage),
        "arcsine": funnel.share_limits(units["cases"], target, coverage, of_r["share_dispersion"][1]),
    }.items():
        for ours, tail in zip(found, tails, strict=True):
            _same(ours, of_r[f"{name}_{tail}"], 1e-7)


def test_jeffreys_intervals(units: dict[str, Floats], of_r: dict[str, Floats]) -> None:
    shares = intervals.share_interval(units["events"], units["cases"])
    rates = intervals.rate_interval(units["observed"], units["expected"])
    for ours, p in zip(shares, (0.025, 0.975), strict=True):
        _same(ours, of_r[f"jeffreys_share_{p}"])
    for ours, p in zip(rates, (0.025, 0.975), strict=True):
        _same(ours, of_r[f"jeffreys_rate_{p}"])


def test_false_discovery(units: dict[str, Floats], of_r: dict[str, Floats]) -> None:
    _same(adjusted(units["chance"]), of_r["adjusted"])


def test_priors_are_the_likeliest(units: dict[str, Floats], of_r: dict[str, Floats]) -> None:
    rates = shrinkage.fitted(units["observed"], units["expected"])
    shares = shrinkage.fitted(units["events"], units["cases"], shares=True)
    _same([rates.a, rates.b], of_r["gamma_poisson"], 2e-3)
    _same([shares.a, shares.b], of_r["beta_binomial"], 2e-3)


def test_tail_and_probability_of_being_worse(units: dict[str, Floats], of_r: dict[str, Floats]) -> None:
    x, e, sure = units["observed"], units["expected"], units["sure"]
    _same(nbinom.sf(x - 1, sure, sure / (sure + e)), of_r["tail"])
    _same(betainc(sure, x + 0.5, sure / (sure + e + 0.5)), of_r["worse"], 1e-6)


def test_cusum(units: dict[str, Floats], of_r: dict[str, Floats]) -> None:
    _same(cusum(units["observed"], units["expected"]), of_r["cusum"])
