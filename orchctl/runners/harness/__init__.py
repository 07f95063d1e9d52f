"""The parts that all runners share: prompt, process, log, outcome and report."""
