"""Floor 4: command line, profiles, the plan of stages, the Ray executor, the microworld."""
