"""A conformance kit: the laws that every objective must keep, checked on its own code."""

from trainers.conformance.check import check
from trainers.conformance.report import Finding, Report
from trainers.objectives.loading import load_objective

__all__ = ["Finding", "Report", "check", "load_objective"]
