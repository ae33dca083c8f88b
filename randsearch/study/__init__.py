"""What persists: the configuration of a study, its Optuna studies, its storage, and what was found in it."""
