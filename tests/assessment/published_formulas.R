# The published formulas in base R, for test_published_formulas.py: one line "name value value ..." for each figure.
# Rscript published_formulas.R UNITS.csv; columns observed, expected, events, cases, chance, sure, ratio_e
units <- read.csv(commandArgs(trailingOnly = TRUE)[1])
say <- function(name, values) cat(name, formatC(as.numeric(values), digits = 15, format = "g"), "\n")

# Spiegelhalter 2005 and 2012: winsorised z-scores, phi, additive tau2
dispersion <- function(z, s, trimmed) {
  ends <- quantile(z, c(trimmed, 1 - trimmed), type = 7)
  z <- pmin(pmax(z, ends[1]), ends[2])
  phi <- mean(z^2)
  w <- 1 / s^2
  c(phi, max(0, (length(z) * phi - (length(z) - 1)) / (sum(w) - sum(w^2) / sum(w))))
}
s <- 1 / (2 * sqrt(units$expected))
for (trimmed in c(0, 0.1)) {
  ratio <- dispersion((sqrt(units$observed / units$expected) - 1) / s, s, trimmed)
  say(paste0("ratio_dispersion_", trimmed), ratio)
}
target <- sum(units$events) / sum(units$cases)
share_s <- 1 / (2 * sqrt(units$cases))
share <- dispersion((asin(sqrt(units$events / units$cases)) - asin(sqrt(target))) / share_s, share_s, 0.1)
say("share_dispersion", share)

# Spiegelhalter 2005, appendix A.1: exact limits, interpolated; additive limits on the root and arcsine scale
for (p in c(0.001, 0.025, 0.975, 0.999)) {
  r <- qpois(p, units$expected)
  say(paste0("poisson_", p), pmax(0, r - (ppois(r, units$expected) - p) / dpois(r, units$expected)) / units$expected)
  r <- qbinom(p, units$cases, target)
  say(paste0("binomial_", p),
      pmax(0, r - (pbinom(r, units$cases, target) - p) / dbinom(r, units$cases, target)) / units$cases)
  root <- pmax(0, 1 + qnorm(p) * sqrt(s^2 + ratio[2]))
  say(paste0("additive_", p), root^2)
  angle <- asin(sqrt(target)) + qnorm(p) * sqrt(share_s^2 + share[2])
  say(paste0("arcsine_", p), sin(pmin(pmax(angle, 0), pi / 2))^2)
}

# Jeffreys: Brown, Cai and DasGupta 2001, 2003; nothing counted: the interval begins at 0
for (p in c(0.025, 0.975)) {
  share <- qbeta(p, units$events + 0.5, units$cases - units$events + 0.5)
  rate <- qgamma(p, units$observed + 0.5) / units$expected
  say(paste0("jeffreys_share_", p), ifelse(units$events == 0 & p < 0.5, 0, share))
  say(paste0("jeffreys_rate_", p), ifelse(units$observed == 0 & p < 0.5, 0, rate))
}

# Benjamini and Hochberg 1995
say("adjusted", p.adjust(units$chance, "BH"))

# marginal likelihoods, with the uniform priors on 1 / (1 + strength) and on the mean of shares
gamma_poisson <- function(at) {
  a <- exp(at[2]); b <- a / exp(at[1])
  -sum(dnbinom(units$observed, size = a, prob = b / (b + units$expected), log = TRUE)) + 2 * log1p(a) - log(a)
}
beta_binomial <- function(at) {
  k <- exp(at[2]); m <- plogis(at[1])
  -sum(lbeta(m * k + units$events, (1 - m) * k + units$cases - units$events) - lbeta(m * k, (1 - m) * k)) +
    2 * log1p(k) - log(k) - log(m) - log1p(-m)
}
rates <- optim(c(0, 3), gamma_poisson, control = list(reltol = 1e-14, maxit = 5000))$par
say("gamma_poisson", c(exp(rates[2]), exp(rates[2]) / exp(rates[1])))
shares <- optim(c(qlogis(target), 3), beta_binomial, control = list(reltol = 1e-14, maxit = 5000))$par
say("beta_binomial", exp(shares[2]) * c(plogis(shares[1]), 1 - plogis(shares[1])))

# tail of the negative binomial, and P(ratio > what is expected) of two Gammas by numerical integration
say("tail", pnbinom(units$observed - 1, size = units$sure, prob = units$sure / (units$sure + units$expected),
                    lower.tail = FALSE))
worse <- function(i) integrate(function(u)
  pgamma(u, units$observed[i] + 0.5, units$expected[i] + 0.5, lower.tail = FALSE) *
    dgamma(u, units$sure[i], units$sure[i]), 0, Inf, rel.tol = 1e-10)$value
say("worse", sapply(seq_along(units$sure), worse))

# CUSUM of Poisson counts, Steiner et al. 2000
step <- function(before, w) max(0, before + w)
say("cusum", Reduce(step, units$observed * log(1.5) - units$expected * 0.5, accumulate = TRUE, 0)[-1])
