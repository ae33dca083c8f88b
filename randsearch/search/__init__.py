"""The search: a driver that asks and tells, executors that only compute, and the Optuna studies that remember."""
