"""Independent models that answers are compared with. Never in a kernel."""
